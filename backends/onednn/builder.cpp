#include "backends/onednn/builder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "backends/onednn/kernels.h"
#include "backends/onednn/kernels_bf16.h"

namespace convoy::onednn {

using Home = BufferSpec::Home;

bool is_reference_name(const std::string& implementation) {
  std::string word;
  for (char c : implementation + ':') {
    if (c != ':' && c != '_') {
      word += c;
    } else if (word == "ref") {
      return true;
    } else {
      word.clear();
    }
  }
  return false;
}

Builder::Builder(const Program& program, Arena& arena, const CompileOptions& options,
                 const dnnl::engine& engine, int threads, Precision precision)
    : program_(program),
      arena_(arena),
      options_(options),
      engine_(engine),
      threads_(threads),
      map_type_(precision == Precision::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32) {
  const size_t nodes = program.graph.nodes.size();
  tape_.values.resize(nodes);
  tape_.gradients.resize(nodes);
  tape_.notes.resize(program.steps.size());
  layouts_.resize(nodes);
  fused_relu_.assign(nodes, -1);
  readers_.assign(nodes, 0);
  last_reader_.assign(nodes, -1);
  folded_into_.assign(nodes, -1);
  contributions_.resize(nodes);
  backward_.resize(nodes);
  remake_.resize(nodes);
  const int output = static_cast<int>(nodes) - 1;
  images_ = buffer({Home::images, 0, nullptr, false}, given(0));
  top_gradient_ = buffer({Home::top_gradient, 0, nullptr, false}, given(output));
  scratch_ = buffer({Home::scratch, 0, nullptr, false}, Desc()).buffer;
}

Desc Builder::plain(int id, dnnl::memory::data_type type) const {
  const Shape& s = node(id).shape;
  return {{program_.images, s.channels, s.height, s.width}, type, dnnl::memory::format_tag::nchw};
}

std::vector<Desc> Builder::candidate_layouts(int id) const {
  const auto dims = shim::dims_of(layout(id));
  const auto type = shim::type_of(layout(id));
  using Tag = dnnl::memory::format_tag;
  return {layout(id), Desc(dims, type, Tag::nChw8c), Desc(dims, type, Tag::nChw16c), plain(id, type)};
}

dnnl::primitive_attr Builder::attributes() const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

View Builder::buffer(BufferSpec spec, const Desc& desc) {
  tape_.buffers.push_back(spec);
  holders_.push_back(0);
  return {static_cast<int>(tape_.buffers.size()) - 1, desc};
}

View Builder::planned(const Desc& desc) {
  return buffer({Home::planned, desc.get_size(), nullptr, false}, desc);
}

View Builder::fixed(std::span<const float> memory, const Desc& desc) {
  auto* address = reinterpret_cast<std::byte*>(const_cast<float*>(memory.data()));
  return buffer({Home::fixed, memory.size_bytes(), address, false}, desc);
}

View Builder::scratch(size_t numbers) {
  const Desc desc({static_cast<int64_t>(numbers)}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
  tape_.scratch_bytes = std::max(tape_.scratch_bytes, desc.get_size());
  return {scratch_, desc};
}

Instruction Builder::reorder(const View& from, const View& to) {
  const dnnl::reorder::primitive_desc pd(engine_, from.desc, engine_, to.desc, attributes());
  if (is_reference(pd) && !options_.allow_reference_kernels)
    refuse(program_.steps[static_cast<size_t>(step_)].node, "reorder",
           "it offers only its slow reference kernel");
  Instruction made;
  made.step = step_;
  made.implementation = fmt::format("reorder {}", pd.impl_info_str());
  made.primitive = dnnl::reorder(pd);
  made.arguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  const Desc scratchpad = pd.scratchpad_desc();
  if (scratchpad.get_size() > 0) made.arguments.push_back({DNNL_ARG_SCRATCHPAD, {scratch_, scratchpad}});
  tape_.scratch_bytes = std::max(tape_.scratch_bytes, scratchpad.get_size());
  return made;
}

View Builder::in_layout(const View& view, const Desc& wanted) {
  if (view.desc == wanted) return view;
  const View copy = planned(wanted);
  tape_.body.push_back(reorder(view, copy));
  return copy;
}

View Builder::weight(int param, const Desc& canonical, const Desc& wanted, int64_t uses) {
  // From this many on a reorder costs less than a hundredth of the primitive: made in every run then, and no memory is held
  // in between.
  constexpr int64_t worth_a_reorder = 1024;
  const View home = fixed(arena_.param(param), canonical);
  if (canonical == wanted) return home;
  if (training() && uses >= worth_a_reorder) return in_layout(home, wanted);
  auto& copies = private_weights_[param];
  for (const View& copy : copies)
    if (copy.desc == wanted) return copy;
  copies.push_back(buffer({Home::persistent, wanted.get_size(), nullptr, false}, wanted));
  tape_.refresh.push_back(reorder(home, copies.back()));
  return copies.back();
}

View Builder::scaled_weight(int param, const Desc& canonical, const Desc& wanted, ChannelFactor factor) {
  if (scaled_ < 0) scaled_ = buffer({Home::persistent, 0, nullptr, false}, Desc()).buffer;
  BufferSpec& room = tape_.buffers[static_cast<size_t>(scaled_)];  // one for all, each in its turn
  room.bytes = std::max(room.bytes, canonical.get_size());
  const View scaled{scaled_, canonical},
      made = buffer({Home::persistent, wanted.get_size(), nullptr, false}, wanted);
  const dnnl::memory::dims dims = shim::dims_of(canonical);  // O I H W, or G O I H W
  const int64_t outputs = dims.size() == 5 ? dims[0] * dims[1] : dims[0];
  const int64_t each = static_cast<int64_t>(arena_.param(param).size()) / outputs;
  tape_.refresh.push_back({step_,
                           "convoy:scale",
                           {},
                           {},
                           [=, from = arena_.param(param), factor = std::move(factor)](const Run& run) {
                             float* to = run.at(scaled);
#pragma omp parallel for schedule(static)
                             for (int64_t o = 0; o < outputs; ++o) {
                               const auto by = static_cast<float>(factor(static_cast<size_t>(o)));
                               for (int64_t i = o * each; i < (o + 1) * each; ++i)
                                 to[i] = by * from[static_cast<size_t>(i)];
                             }
                           },
                           {scaled}});
  tape_.refresh.push_back(reorder(scaled, made));
  return made;
}

View Builder::derived(std::string name, const View& weights, const Desc& desc,
                      std::function<void(const float*, float*)> make) {
  const View made = buffer({Home::persistent, desc.get_size(), nullptr, false}, desc);
  tape_.refresh.push_back({step_,
                           "convoy:" + name,
                           {},
                           {},
                           [=](const Run& run) { make(run.at(weights), run.at(made)); },
                           {weights, made}});
  return made;
}

View Builder::param_gradient(int param, const Desc& canonical, const Desc& produced) {
  return canonical == produced ? fixed(arena_.param_grad(param), canonical) : planned(produced);
}

void Builder::finish_param_gradient(const View& written, int param, const Desc& canonical) {
  if (written.desc != canonical)
    tape_.body.push_back(reorder(written, fixed(arena_.param_grad(param), canonical)));
}

void Builder::push_call(std::string name, const dnnl::primitive& primitive, std::vector<Argument> arguments,
                        const Desc& scratchpad) {
  std::erase_if(arguments, [](const Argument& a) { return !a.view; });
  if (scratchpad.get_size() > 0) arguments.push_back({DNNL_ARG_SCRATCHPAD, {scratch_, scratchpad}});
  tape_.scratch_bytes = std::max(tape_.scratch_bytes, scratchpad.get_size());
  tape_.body.push_back({step_, std::move(name), primitive, std::move(arguments), {}, {}});
}

void Builder::own(std::string name, std::vector<View> touches, std::function<void(const Run&)> kernel) {
  std::erase_if(touches, [](const View& view) { return !view; });
  tape_.body.push_back({step_, "convoy:" + name, {}, {}, std::move(kernel), std::move(touches)});
}

void Builder::forget(int id, std::function<View()> make) {
  if (forgets()) remake_[static_cast<size_t>(id)] = std::move(make);
}

const View& Builder::recalled(int id) {
  if (const auto make = std::exchange(remake_[static_cast<size_t>(id)], nullptr)) set_value(id, make());
  return value(id);
}

bool Builder::exclusive(const View& view) const {
  const auto b = static_cast<size_t>(view.buffer);
  return tape_.buffers[b].home == Home::planned && holders_[b] == 1;
}

View Builder::overwritable(const View& held) {
  return fuses() && exclusive(held) ? held : planned(held.desc);
}

void Builder::give_gradient(int id, const View& view) {
  const View part = in_layout(view, layout(id));
  contributions_[static_cast<size_t>(id)].push_back(part);
  ++holders_[static_cast<size_t>(part.buffer)];
}

View Builder::accumulate(int id, const View* mask) {
  auto& parts = contributions_[static_cast<size_t>(id)];
  ensure(!parts.empty());
  if (parts.size() == 1 && mask == nullptr) return parts[0];
  const auto free_part =
      std::find_if(parts.begin(), parts.end(), [&](const View& v) { return exclusive(v); });
  const View dst = fuses() && free_part != parts.end() ? *free_part : planned(parts[0].desc);
  for (const View& part : parts) --holders_[static_cast<size_t>(part.buffer)];
  ++holders_[static_cast<size_t>(dst.buffer)];
  std::vector<View> touches = parts;
  touches.push_back(dst);
  if (mask != nullptr) touches.push_back(*mask);
  constexpr size_t most_parts = 16;  // readers of one value
  require(parts.size() <= most_parts,
          "{} of {} is read by {} nodes; the onednn backend sums the gradients of {}", node(id).name,
          program_.graph.name, parts.size(), most_parts);
  own_of(mask != nullptr ? "sum_mask" : "sum", dst, touches,
         [parts, dst, count = elements_of(dst.desc), mask = mask != nullptr ? *mask : View{}]<class T>(
             const Run& run, T) {
           std::array<const T*, most_parts> from{};
           for (size_t i = 0; i < parts.size(); ++i) from[i] = run.at<T>(parts[i]);
           sum(std::span<const T* const>(from.data(), parts.size()), mask ? run.at<T>(mask) : nullptr,
               run.at<T>(dst), count);
         });
  parts = {dst};
  return dst;
}

View Builder::gradient(int id) {
  const View view = accumulate(id, nullptr);
  BufferSpec& spec = tape_.buffers[static_cast<size_t>(view.buffer)];
  if (!fuses() || id == 0) {
    tape_.gradients[static_cast<size_t>(id)] = view;
    spec.keep = true;
  }
  return view;
}

View Builder::masked_gradient(int relu) {
  if (fuses()) return accumulate(relu, &recalled(relu));
  const View from = gradient(relu), mask = value(relu), to = planned(from.desc);
  own_of("mask", to, {from, mask, to}, [=, count = elements_of(to.desc)]<class T>(const Run& run, T) {
    const T* const part[] = {run.at<T>(from)};
    sum(part, run.at<T>(mask), run.at<T>(to), count);
  });
  return to;
}

void Builder::decide_fusion() {
  const auto& nodes = program_.graph.nodes;
  for (size_t id = 0; id < nodes.size(); ++id)
    for (int input : nodes[id].inputs) {
      ++readers_[static_cast<size_t>(input)];
      last_reader_[static_cast<size_t>(input)] = static_cast<int>(id);
    }
  if (!fuses()) return;
  for (size_t id = 0; id < nodes.size(); ++id) {
    if (!std::holds_alternative<Relu>(nodes[id].op)) continue;
    const auto input = static_cast<size_t>(nodes[id].inputs[0]);
    const Op& op = nodes[input].op;
    const bool can = std::holds_alternative<Conv>(op) || std::holds_alternative<BatchNorm>(op) ||
                     std::holds_alternative<Add>(op) || std::holds_alternative<Linear>(op);
    if (can && readers_[input] == 1) fused_relu_[input] = static_cast<int>(id);
  }
}

int Builder::only_reader(int id) const {
  return readers_[static_cast<size_t>(id)] == 1 ? last_reader_[static_cast<size_t>(id)] : -1;
}

bool Builder::only_loss_reads(int id) const {
  const int reader = only_reader(id);
  return reader >= 0 && std::holds_alternative<SoftmaxLoss>(node(reader).op);
}

void Builder::emit_forward(int id) {
  struct Visitor {
    Builder& to;
    int id;
    EmitBackward operator()(const Input&) const {
      to.set_value(id, to.images());
      to.set_layout(id, to.given(id));
      return {};
    }
    EmitBackward operator()(const Conv& op) const { return emit_conv(to, id, op); }
    EmitBackward operator()(const BatchNorm& op) const { return emit_norm(to, id, op); }
    EmitBackward operator()(const Relu&) const { return emit_relu(to, id); }
    EmitBackward operator()(const Add&) const { return emit_add(to, id); }
    EmitBackward operator()(const Pool& op) const { return emit_pool(to, id, op); }
    EmitBackward operator()(const Lrn& op) const { return emit_lrn(to, id, op); }
    EmitBackward operator()(const Linear& op) const { return emit_linear(to, id, op); }
    EmitBackward operator()(const Dropout& op) const { return emit_dropout(to, id, op); }
    EmitBackward operator()(const SoftmaxLoss& op) const { return emit_loss(to, id, op); }
  };
  backward_[static_cast<size_t>(id)] = std::visit(Visitor{*this, id}, node(id).op);
}

void Builder::emit_backward(int id) {
  auto& parts = contributions_[static_cast<size_t>(id)];
  if (parts.empty() && id + 1 == static_cast<int>(layouts_.size()) &&
      !std::holds_alternative<SoftmaxLoss>(node(id).op))
    give_gradient(id, top_gradient_);
  if (const EmitBackward& emit = backward_[static_cast<size_t>(id)]) emit();
  for (const View& part : parts) --holders_[static_cast<size_t>(part.buffer)];
}

std::string Builder::note(const Step& step) const {
  const Node& n = node(step.node);
  if (is_folded(step.node)) return "fused into " + node(folded_into_[static_cast<size_t>(step.node)]).name;
  if (std::holds_alternative<Relu>(n.op)) return "fused into " + node(n.inputs[0]).name;
  if (std::holds_alternative<Add>(n.op)) return "one gradient for both inputs";
  return "none";
}

Tape Builder::finish() {
  decide_fusion();
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    step_ = static_cast<int>(s);
    const Step& step = program_.steps[s];
    const size_t before = tape_.body.size();
    try {
      step.pass == Pass::forward ? emit_forward(step.node) : emit_backward(step.node);
    } catch (const dnnl::error& error) {
      refuse(step.node, step.pass == Pass::forward ? "forward" : "backward", error.what());
    }
    if (tape_.body.size() == before) tape_.notes[s] = note(step);
  }
  if (program_.input_gradient && training()) gradient(0);

  const auto& nodes = program_.graph.nodes;
  const size_t last = nodes.size() - 1;
  const size_t answer =
      std::holds_alternative<SoftmaxLoss>(nodes[last].op) ? static_cast<size_t>(nodes[last].inputs[0]) : last;
  for (size_t id = 0; id < nodes.size(); ++id) {
    View& view = tape_.values[id];
    if (view && fuses() && id != answer) view = {};
    if (view) tape_.buffers[static_cast<size_t>(view.buffer)].keep = true;
  }
  return std::move(tape_);
}

void Builder::refuse(int id, const char* what, const std::string& reason) const {
  const Node& n = node(id);
  std::string shapes;
  for (int input : n.inputs) {
    const Shape& s = node(input).shape;
    shapes += fmt::format("{}{}x{}x{}", shapes.empty() ? "" : " and ", s.channels, s.height, s.width);
  }
  fail(
      "oneDNN cannot run node {} ({}, {} image{} of {} to {}x{}x{}), {}: {}; choose another backend for this "
      "network",
      n.name, name_of(n.op), program_.images, program_.images == 1 ? "" : "s", shapes, n.shape.channels,
      n.shape.height, n.shape.width, what, reason);
}

}  // namespace convoy::onednn

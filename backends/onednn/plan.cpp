#include "backends/onednn/plan.h"

#include <fmt/ranges.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include <algorithm>
#include <chrono>

#include "backends/common/memory_plan.h"
#include "backends/onednn/builder.h"
#include "base/error.h"
#include "net/cost.h"

namespace convoy::onednn {

using Home = BufferSpec::Home;

namespace {

// oneDNN's word for what it computes, or the name of a loop of ours.
std::string work_of(const Instruction& instruction) {
  constexpr std::string_view ours = "convoy:";
  if (instruction.own) return instruction.implementation.substr(ours.size());
  return dnnl_prim_kind2str(static_cast<dnnl_primitive_kind_t>(instruction.primitive.get_kind()));
}

}  // namespace

Threads::Threads(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
Threads::~Threads() { omp_set_num_threads(before_); }

OnednnPlan::OnednnPlan(const Program& program, Arena& arena, const CompileOptions& options,
                       const dnnl::engine& engine, int threads, Precision precision)
    : program_(program), arena_(arena), engine_(engine), stream_(engine), threads_(threads) {
  const Threads fixed(threads_);
  tape_ = Builder(program_, arena, options, engine, threads_, precision).finish();
  place_buffers();
  refresh_ = bind(tape_.refresh);
  body_ = bind(tape_.body);
  size_t end = 0;
  for (size_t step = 0; step < program_.steps.size(); ++step) {
    while (end < tape_.body.size() && static_cast<size_t>(tape_.body[end].step) <= step) ++end;
    step_end_.push_back(end);
  }
  timed_ = options.times_steps;
  run_.address = &address_;
  run_.totals = &totals_;
  run_.threads = threads_;
}

void OnednnPlan::place_buffers() {
  auto& buffers = tape_.buffers;
  std::vector<Interval> lives(buffers.size(), {-1, -1, 0});
  for (size_t i = 0; i < tape_.body.size(); ++i) {
    const auto touch = [&](const View& view) {
      Interval& life = lives[static_cast<size_t>(view.buffer)];
      if (life.first < 0) life.first = static_cast<int>(i);
      life.last = static_cast<int>(i);
    };
    for (const Argument& argument : tape_.body[i].arguments) touch(argument.view);
    for (const View& view : tape_.body[i].touches) touch(view);
  }
  std::vector<Interval> planned;
  std::vector<size_t> planned_buffer, persistent_offset(buffers.size(), 0);
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (buffers[b].home == Home::planned && lives[b].first >= 0) {
      const int last = buffers[b].keep ? static_cast<int>(tape_.body.size()) : lives[b].last;
      planned.push_back({lives[b].first, last, buffers[b].bytes});
      planned_buffer.push_back(b);
    } else if (buffers[b].home == Home::persistent) {
      persistent_offset[b] = persistent_bytes_;
      persistent_bytes_ += (buffers[b].bytes + 63) / 64 * 64;
    }
  }
  const MemoryPlan layout = plan_memory(planned);
  planned_bytes_ = layout.peak;
  planned_ = host_buffer(planned_bytes_);
  persistent_ = host_buffer(persistent_bytes_);
  scratch_ = host_buffer(tape_.scratch_bytes);

  address_.assign(buffers.size(), nullptr);
  for (size_t i = 0; i < planned.size(); ++i)
    address_[planned_buffer[i]] = planned_.get() + layout.offsets[i];
  for (size_t b = 0; b < buffers.size(); ++b) {
    if (buffers[b].home == Home::fixed) address_[b] = buffers[b].address;
    if (buffers[b].home == Home::scratch) address_[b] = scratch_.get();
    if (buffers[b].home == Home::persistent) address_[b] = persistent_.get() + persistent_offset[b];
  }
}

std::vector<OnednnPlan::Call> OnednnPlan::bind(const std::vector<Instruction>& instructions) {
  std::vector<Call> calls;
  for (const Instruction& instruction : instructions) {
    Call call{instruction.primitive, {}, instruction.own, 0};
    for (const Argument& argument : instruction.arguments) {
      const auto b = static_cast<size_t>(argument.view.buffer);
      // A null address would make the library allocate: batches' memory is set before every run.
      const size_t offset = argument.view.offset;
      void* address = address_[b] != nullptr ? static_cast<void*>(address_[b] + offset) : DNNL_MEMORY_NONE;
      memories_.emplace_back(argument.view.desc, engine_, address);
      if (tape_.buffers[b].home == Home::images) images_.push_back({memories_.back(), offset});
      if (tape_.buffers[b].home == Home::top_gradient) tops_.push_back({memories_.back(), offset});
      call.arguments.push_back({argument.id, memories_.back().get()});
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

void OnednnPlan::check(const Batch& batch) const {
  const Graph& graph = program_.graph;
  const auto images = static_cast<int64_t>(program_.images);
  const int64_t pixels = images * graph.nodes.front().shape.elements();
  require(static_cast<int64_t>(batch.images.size()) == pixels,
          "{}: a batch of {} numbers was given to a plan for {} images of {}", graph.name,
          batch.images.size(), images, graph.nodes.front().shape.elements());
  if (std::holds_alternative<SoftmaxLoss>(graph.nodes.back().op)) {
    require(static_cast<int64_t>(batch.labels.size()) == images,
            "{}: {} labels were given to a plan for {} images", graph.name, batch.labels.size(), images);
  } else if (program_.mode == Mode::training) {
    const int64_t elements = images * graph.nodes.back().shape.elements();
    require(static_cast<int64_t>(batch.top_gradient.size()) == elements,
            "{}: a network without a loss needs a top gradient of {} numbers, not {}", graph.name, elements,
            batch.top_gradient.size());
  }
}

void OnednnPlan::run(Call& call) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = timed_ ? Clock::now() : Clock::time_point();
  if (call.own) {
    call.own(run_);
  } else {
    const dnnl_status_t status = dnnl_primitive_execute(
        call.primitive.get(), stream_.get(), static_cast<int>(call.arguments.size()), call.arguments.data());
    require(status == dnnl_success, "oneDNN failed with status {} while a plan ran",
            static_cast<int>(status));
  }
  if (timed_) call.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
}

void OnednnPlan::run_step(size_t step) {
  for (size_t call = step == 0 ? 0 : step_end_[step - 1]; call < step_end_[step]; ++call) run(body_[call]);
}

void OnednnPlan::start(const Batch& batch) {
  check(batch);
  auto* images = reinterpret_cast<std::byte*>(const_cast<float*>(batch.images.data()));
  auto* top = reinterpret_cast<std::byte*>(const_cast<float*>(batch.top_gradient.data()));
  for (Given& given : images_) given.memory.set_data_handle(images + given.offset);
  for (Given& given : tops_) given.memory.set_data_handle(top + given.offset);
  for (size_t b = 0; b < tape_.buffers.size(); ++b) {
    if (tape_.buffers[b].home == Home::images) address_[b] = images;
    if (tape_.buffers[b].home == Home::top_gradient) address_[b] = top;
  }
  run_.batch = &batch;
  const bool changed = version_ != arena_.version();
  for (Call& call : refresh_) changed ? run(call) : void(call.seconds = 0);
  version_ = arena_.version();
}

void OnednnPlan::train(const Batch& batch, const ReadyFn& ready) {
  require(program_.mode == Mode::training, "{}: this plan was compiled for inference", program_.graph.name);
  const Threads fixed(threads_);
  start(batch);
  const auto& buckets = program_.layout.buckets;
  size_t next_bucket = 0;
  for (size_t step = 0; step < step_end_.size(); ++step) {
    run_step(step);
    while (next_bucket < buckets.size() && buckets[next_bucket].ready_step <= static_cast<int>(step))
      ready(static_cast<BucketId>(next_bucket++), Event{});
  }
}

void OnednnPlan::infer(const Batch& batch) {
  require(program_.mode == Mode::inference, "{}: this plan was compiled for training", program_.graph.name);
  const Threads fixed(threads_);
  start(batch);
  for (size_t step = 0; step < step_end_.size(); ++step) run_step(step);
}

Totals OnednnPlan::totals() { return std::exchange(totals_, Totals{}); }

bool OnednnPlan::peek(Peek what, int node, std::span<float> to) {
  const Node& n = program_.graph.nodes.at(static_cast<size_t>(node));
  const View& view = (what == Peek::value ? tape_.values : tape_.gradients).at(static_cast<size_t>(node));
  if (!view || address_[static_cast<size_t>(view.buffer)] == nullptr) return false;
  require(static_cast<int64_t>(to.size()) == n.shape.elements() * program_.images,
          "{}: peek at {} needs room for {} numbers, not {}", program_.graph.name, n.name,
          n.shape.elements() * program_.images, to.size());
  const Threads fixed(threads_);
  const Desc plain({program_.images, n.shape.channels, n.shape.height, n.shape.width},
                   dnnl::memory::data_type::f32, dnnl::memory::format_tag::nchw);
  dnnl::memory from(view.desc, engine_, address_[static_cast<size_t>(view.buffer)]);
  dnnl::memory copy(plain, engine_, to.data());
  dnnl::reorder(from, copy).execute(stream_, from, copy);
  stream_.wait();
  return true;
}

PlanInfo OnednnPlan::info() const {
  PlanInfo info;
  info.activation_bytes = planned_bytes_;
  info.weight_bytes = persistent_bytes_;
  info.scratch_bytes = tape_.scratch_bytes;
  size_t call = 0;
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const Step& step = program_.steps[s];
    std::vector<std::string> names;
    const Cost cost = cost_of(program_, step);
    StepInfo line{step.node, step.pass, "", cost.flops, cost.bytes, 0, {}};
    const auto took = [&](const Instruction& instruction, double seconds) {
      if (!timed_) return;
      line.seconds += seconds;
      line.calls.push_back({work_of(instruction), seconds});
    };
    for (; call < step_end_[s]; ++call) {
      names.push_back(tape_.body[call].implementation);
      took(tape_.body[call], body_[call].seconds);
    }
    // Copies of the weights are made before the first step, for the one that wants them.
    for (size_t i = 0; i < refresh_.size(); ++i)
      if (tape_.refresh[i].step == static_cast<int>(s)) took(tape_.refresh[i], refresh_[i].seconds);
    line.implementation = names.empty() ? tape_.notes[s] : fmt::format("{}", fmt::join(names, ", "));
    info.steps.push_back(std::move(line));
  }
  return info;
}

}  // namespace convoy::onednn

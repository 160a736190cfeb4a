// Builder: turns a Program into a Tape. Each operation's emit function writes the forward instructions of its node and
// returns what will write the backward ones; layouts are the library's choice ("any"), values keep their producer's
// layout, a gradient has the layout of its value, and a reorder stands wherever a primitive asks for another.
//
// Gradients of a value with several readers are collected as contributions and summed when the producer's backward step
// needs them, together with the mask of a following ReLU: one pass over memory. Add hands one buffer to both inputs; a
// buffer is overwritten in place only when nobody else still holds it, and never under CompileOptions::keep_values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/onednn/shim.h"
#include "backends/onednn/tape.h"
#include "base/error.h"
#include "net/program.h"

namespace convoy::onednn {

using ChannelFactor = std::function<double(size_t channel)>;

class Builder {
 public:
  Builder(const Program& program, Arena& arena, const CompileOptions& options, const dnnl::engine& engine,
          int threads, Precision precision);
  Tape finish();

  const Program& program() const { return program_; }
  const Node& node(int id) const { return program_.graph.nodes[static_cast<size_t>(id)]; }
  const dnnl::engine& engine() const { return engine_; }
  int threads() const { return threads_; }
  bool training() const { return program_.mode == Mode::training; }
  bool fuses() const { return !options_.keep_values; }
  bool may_use_winograd() const { return options_.winograd; }
  dnnl::prop_kind forward_kind() const {
    return training() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  }
  dnnl::primitive_attr attributes() const;  // the scratchpad is ours

  // Memory.
  View planned(const Desc& desc);
  View fixed(std::span<const float> memory, const Desc& desc);
  View scratch(size_t numbers);  // f32, for one instruction: all share it
  View images() const { return images_; }
  // NCHW of a node's output: in the numbers that maps are held in, and as callers have it, in f32.
  Desc plain(int id) const { return plain(id, map_type_); }
  Desc given(int id) const { return plain(id, dnnl::memory::data_type::f32); }
  dnnl::memory::data_type map_type() const { return map_type_; }
  // Layouts to try for an operation that works in its source's: that of value `id`, then channel blocks, then plain.
  std::vector<Desc> candidate_layouts(int id) const;
  View in_layout(const View& view, const Desc& wanted);
  // A parameter in the layout that a primitive wants, which uses every number of it `uses` times a run.
  View weight(int param, const Desc& canonical, const Desc& wanted, int64_t uses);
  // The same in inference, each output's weights multiplied by factor(output).
  View scaled_weight(int param, const Desc& canonical, const Desc& wanted, ChannelFactor factor);
  // What an own loop makes of weights, once they have changed.
  View derived(std::string name, const View& weights, const Desc& desc,
               std::function<void(const float* from, float* made)> make);
  std::span<float> param(int index) { return arena_.param(index); }
  std::span<float> param_grad(int index) { return arena_.param_grad(index); }
  std::span<float> stat(int index) { return arena_.stat(index); }
  std::span<float> stat_grad(int index) { return arena_.stat_grad(index); }
  // Where a primitive writes the gradient of `param` in layout `produced`; finish_param_gradient brings it home.
  View param_gradient(int param, const Desc& canonical, const Desc& produced);
  void finish_param_gradient(const View& written, int param, const Desc& canonical);

  // Values: each node's output, set once. fused_relu(id): the ReLU that this node's instruction applies as well, or -1.
  const View& value(int id) const { return tape_.values[static_cast<size_t>(id)]; }
  void set_value(int id, const View& view) { tape_.values[static_cast<size_t>(id)] = view; }
  // For backward passes: the value again where a forward pass said how to make it (forget) instead of keeping it.
  bool forgets() const { return training() && fuses() && options_.recompute; }
  void forget(int id, std::function<View()> make);
  const View& recalled(int id);
  bool is_forgotten(int id) const { return remake_[static_cast<size_t>(id)] != nullptr; }
  View again(int id) const { return is_forgotten(id) ? remake_[static_cast<size_t>(id)]() : value(id); }
  int fused_relu(int id) const { return fused_relu_[static_cast<size_t>(id)]; }
  bool only_loss_reads(int id) const;
  int only_reader(int id) const;  // or -1
  // In inference a convolution may compute what follows it as well (conv_tail.h): `id` is computed by `conv`.
  void set_folded(int id, int conv) { folded_into_[static_cast<size_t>(id)] = conv; }
  bool is_folded(int id) const { return folded_into_[static_cast<size_t>(id)] >= 0; }
  bool is_fused(int relu) const { return fused_relu(node(relu).inputs[0]) == relu; }  // into its input
  const Desc& layout(int id) const { return layouts_[static_cast<size_t>(id)]; }
  void set_layout(int id, const Desc& desc) { layouts_[static_cast<size_t>(id)] = desc; }

  // Gradients.
  bool wants_gradient(int id) const { return program_.gradients[static_cast<size_t>(id)].first >= 0; }
  View gradient(int id);           // of node's output, contributions summed
  View masked_gradient(int relu);  // the same, times (output > 0)
  void give_gradient(int id,
                     const View& view);  // one contribution; reordered to the value's layout if need be
  View overwritable(const View& held);   // `held` itself if no other value needs it, else a new buffer

  // Instructions.
  template <class PrimitiveDesc>
  void call(const PrimitiveDesc& pd, const dnnl::primitive& primitive, std::vector<Argument> arguments) {
    push_call(pd.impl_info_str(), primitive, std::move(arguments), pd.scratchpad_desc());
  }
  void own(std::string name, std::vector<View> touches, std::function<void(const Run&)> kernel);
  // The same of a loop that is written for f32 and for bf16, `kernel(run, T())` with T as `maps` have it.
  template <class Kernel>
  void own_of(std::string name, const View& maps, std::vector<View> touches, const Kernel& kernel);

  // The first of `count` candidates make(0), make(1), ... that is not one of the library's "ref:" kernels. `make`
  // returns a pair or a primitive descriptor; names(candidate) lists its implementations.
  template <class Make>
  auto choose(int id, const char* what, size_t count, const Make& make) const;

 private:
  Desc plain(int id, dnnl::memory::data_type type) const;
  void decide_fusion();
  void emit_forward(int id);
  void emit_backward(int id);
  View accumulate(int id, const View* mask);
  void push_call(std::string name, const dnnl::primitive& primitive, std::vector<Argument> arguments,
                 const Desc& scratchpad);
  Instruction reorder(const View& from, const View& to);
  View buffer(BufferSpec spec, const Desc& desc);
  bool exclusive(const View& view) const;
  std::string note(const Step& step) const;
  [[noreturn]] void refuse(int id, const char* what, const std::string& reason) const;

  const Program& program_;
  Arena& arena_;
  CompileOptions options_;
  dnnl::engine engine_;
  int threads_;
  dnnl::memory::data_type map_type_;
  Tape tape_;
  View images_, top_gradient_;
  int step_ = 0;
  int scratch_ = -1;                                  // the scratchpad's buffer
  int scaled_ = -1;                                   // of weights on their way into another layout
  std::vector<Desc> layouts_;                         // by node
  std::vector<int> fused_relu_, readers_;             // by node
  std::vector<int> last_reader_, folded_into_;        // by node, or -1
  std::vector<std::vector<View>> contributions_;      // by node
  std::vector<std::function<View()>> remake_;         // by node
  std::vector<int> holders_;                          // by buffer: values whose gradient it is part of
  std::vector<std::function<void()>> backward_;       // by node
  std::map<int, std::vector<View>> private_weights_;  // by parameter
};

using EmitBackward = std::function<void()>;
EmitBackward emit_conv(Builder& to, int id, const Conv& op);
// The same as a matrix product, of maps in these layouts; nothing where that is not worth it.
std::optional<EmitBackward> emit_small_conv(Builder& to, int id, const Conv& op, const Desc& src_maps,
                                            const Desc& dst_maps);
EmitBackward emit_norm(Builder& to, int id, const BatchNorm& op);
EmitBackward emit_relu(Builder& to, int id);
EmitBackward emit_add(Builder& to, int id);
EmitBackward emit_pool(Builder& to, int id, const Pool& op);
EmitBackward emit_lrn(Builder& to, int id, const Lrn& op);
EmitBackward emit_linear(Builder& to, int id, const Linear& op);
EmitBackward emit_dropout(Builder& to, int id, const Dropout& op);
EmitBackward emit_loss(Builder& to, int id, const SoftmaxLoss& op);

// oneDNN's names: "ref:any", "lrn_ref:any", "gemm:ref".
bool is_reference_name(const std::string& implementation);
template <class T>
bool is_reference(const T& candidate) {
  return is_reference_name(candidate.impl_info_str());
}
template <class A, class B>
bool is_reference(const std::pair<A, B>& candidate) {
  return is_reference(candidate.first) || (candidate.second && is_reference(candidate.second));
}

inline size_t elements_of(const Desc& desc) {
  return desc.get_size() / dnnl::memory::data_type_size(shim::type_of(desc));
}
// In whatever layout the library likes, of numbers of `type`.
inline Desc any_layout(const Desc& desc, dnnl::memory::data_type type) {
  return {shim::dims_of(desc), type, dnnl::memory::format_tag::any};
}

template <class Kernel>
void Builder::own_of(std::string name, const View& maps, std::vector<View> touches, const Kernel& kernel) {
  if (shim::type_of(maps.desc) == dnnl::memory::data_type::bf16)
    own(std::move(name), std::move(touches), [kernel](const Run& run) { kernel(run, uint16_t{}); });
  else
    own(std::move(name), std::move(touches), [kernel](const Run& run) { kernel(run, float{}); });
}

template <class Make>
auto Builder::choose(int id, const char* what, size_t count, const Make& make) const {
  std::string reason;
  decltype(make(0)) slow{};
  bool have_slow = false;
  for (size_t i = 0; i < count; ++i) {
    try {
      auto candidate = make(i);
      if (!is_reference(candidate)) return candidate;
      if (!have_slow) slow = candidate;
      have_slow = true;
    } catch (const dnnl::error& error) {
      reason = error.what();
    }
  }
  if (have_slow && options_.allow_reference_kernels) return slow;
  refuse(id, what, have_slow ? "it offers only its slow reference kernel" : reason);
}

}  // namespace convoy::onednn

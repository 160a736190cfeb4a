// Planner: turns a Program into a Recipe. Each operation's emit function writes the forward instructions of its node and
// returns what will write the backward ones. Every instruction writes tensors of its own, so one tensor may stand for several
// values or gradients (Add hands its gradient to both inputs). One thing is overwritten: a backward convolution adds to the
// gradient that a node alone was given before, so that a residual's needs no sum.
//
// Fused, unless CompileOptions::keep_values: Conv or Linear with its ReLU; batch norm with its ReLU; batch norm, Add and
// ReLU, written at the Add's step, where both inputs are there. In inference a batch norm goes into the convolution
// below it as scale and shift. Gradients of a value with several readers are summed when its producer's step needs them,
// together with the mask of a ReLU that no batch norm took. Fusion::main_loop takes batch norms further: mainloop.h.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backends/fused/mainloop.h"
#include "backends/fused/recipe.h"

namespace convoy::fused {

class Planner {
 public:
  Planner(const Program& program, Arena& arena, const CompileOptions& options, Precision precision, int align,
          Fusion fusion);
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;
  Recipe finish();

  const Program& program() const { return program_; }
  const Node& node(int id) const { return program_.graph.nodes[static_cast<size_t>(id)]; }
  int input(int id, size_t which = 0) const { return node(id).inputs[which]; }
  bool training() const { return program_.mode == Mode::training; }
  bool fuses() const { return !options_.keep_values; }
  MainLoop& main_loop() { return main_loop_; }
  const std::vector<int>& readers(int id) const { return readers_[static_cast<size_t>(id)]; }
  const Tensor& tensor(Id id) const { return recipe_.tensors[static_cast<size_t>(id)]; }

  // Tensors. A map has the shape of a node's output; a vector is f32, one number a channel of such a map.
  Id map(int id, const std::string& name);
  Id map(int id, const std::string& name, Type type);
  Id vector(int id, const std::string& name, Tensor::Home home = Tensor::Home::planned);
  Id vector(int id, const std::string& name, Type type);
  Id like(Id other, const std::string& name);
  Id add(Tensor tensor);
  Id images() const { return recipe_.images; }
  Id labels() const { return recipe_.labels; }
  Id totals() const { return recipe_.totals; }
  Type type() const { return type_; }
  int padded(int channels) const { return (channels + align_ - 1) / align_ * align_; }

  // Parameters and statistics: the arena's own memory, and the device's copy where it needs another shape or type.
  Id arena_vector(const std::string& name, std::span<float> memory);
  Id param_vector(int param, int channels);  // padded to `channels`
  Id param(int index) { return arena_vector(param_name(index), arena_.param(index)); }
  Id param_grad(int index) { return arena_vector(param_name(index), arena_.param_grad(index)); }
  Id stat(int index) { return arena_vector(stat_name(index), arena_.stat(index)); }
  Id stat_grad(int index) { return arena_vector(stat_name(index), arena_.stat_grad(index)); }
  std::span<float> param_memory(int index) { return arena_.param(index); }
  std::span<float> param_grad_memory(int index) { return arena_.param_grad(index); }
  const std::string& param_name(int index) const {
    return program_.graph.params[static_cast<size_t>(index)].name;
  }
  const std::string& stat_name(int index) const {
    return program_.graph.stats[static_cast<size_t>(index)].name;
  }

  // Fusion: -1 where there is none.
  int relu_of(int id) const;            // the ReLU that `id`'s instruction applies as well
  int fused_add(int norm) const;        // the Add that `norm` is written with
  int fused_norm(int add) const;        // and back
  bool goes_into_norm(int conv) const;  // inference: written with the batch norm above it
  void note(std::string text);          // of this step

  // Values: each node's output. Gradients: collected as contributions.
  Id value(int id) const;
  void set_value(int id, Id tensor) { recipe_.values[static_cast<size_t>(id)] = tensor; }
  bool wants_gradient(int id) const { return program_.gradients[static_cast<size_t>(id)].first >= 0; }
  void give_gradient(int id, Id tensor);
  Id own_gradient(int id) const;     // all that was given, and to no other node: may be added to
  Id gradient(int id);               // contributions summed
  Id gradient(int id, Id positive);  // the same where this value is above zero
  Id take_gradient(int id);          // contributions summed and forgotten; -1 where there are none

  void emit(Operation operation) { recipe_.body.push_back({step_, std::move(operation)}); }
  void refresh(Operation operation) { recipe_.refresh.push_back({0, std::move(operation)}); }

 private:
  void emit_forward(int id);
  void emit_backward(int id);
  void add_batch_tensors();
  void find_buckets();
  void hide();
  bool only_reader(int id, int reader) const;
  int sole_relu(int id) const;  // the ReLU that is the only reader

  const Program& program_;
  Arena& arena_;
  CompileOptions options_;
  Type type_;
  int align_, step_ = 0;
  Recipe recipe_;
  MainLoop main_loop_;
  std::vector<std::vector<int>> readers_;        // by node
  std::vector<std::vector<Id>> contributions_;   // by node
  std::vector<int> given_;                       // by tensor: to how many nodes
  std::vector<std::function<void()>> backward_;  // by node
};

using EmitBackward = std::function<void()>;
EmitBackward emit_input(Planner& to, int id);
EmitBackward emit_conv(Planner& to, int id, const Conv& op);
EmitBackward emit_norm(Planner& to, int id, const BatchNorm& op);
EmitBackward emit_relu(Planner& to, int id);
EmitBackward emit_add(Planner& to, int id);
EmitBackward emit_pool(Planner& to, int id, const Pool& op);
EmitBackward emit_lrn(Planner& to, int id, const Lrn& op);
EmitBackward emit_dropout(Planner& to, int id, const Dropout& op);
EmitBackward emit_loss(Planner& to, int id, const SoftmaxLoss& op);

// A Linear is a convolution by a kernel as large as the map.
Conv as_conv(const Planner& to, int id);

// What ends a forward convolution or batch norm.
struct Ending {
  Id scale = -1, shift = -1, addend = -1;
  bool relu = false;
};
void write_conv(Planner& to, int id, Id y, const Ending& ending);
// Of batch norm `id`, with the Add's other input and ReLU where it takes them along; `tail`: the node whose value it is.
EmitBackward write_norm(Planner& to, int id, int other, int tail, bool relu);

// Main-loop fusion: as write_norm, of a norm above a convolution with sums; of one that waits for its Add; such a convolution.
EmitBackward write_counted_norm(Planner& to, int id, int other, int tail, bool relu);
EmitBackward write_waiting_norm(Planner& to, int id);
void write_counting_conv(Planner& to, int id, const Conv& conv, Id w, Id y);
// What a convolution applies to this value in its main loop; -1 where the value is there as it is.
struct Folded {
  Id scale = -1, shift = -1;
};
Folded folded_into(Planner& to, int source);
// The gradient of convolution `id`'s input together with what the norms below want of it, where that is its part.
bool write_gradient_with_norm(Planner& to, int id, const Conv& conv, Id dy, Id w);

}  // namespace convoy::fused

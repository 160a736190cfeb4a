// The reference backend's plan, in float or double: interprets the Program step by step, keeps every value and every
// gradient, and overwrites nothing, so that each can be looked at after a run. Owns all buffers except the arena, which
// must outlive it. Nothing is asynchronous; train() and infer() allocate nothing.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "net/program.h"
#include "port/arena.h"
#include "port/batch.h"

namespace convoy::reference {

template <class T>
class Machine {
 public:
  Machine(const Program& program, ArenaOf<T>& arena, int threads);

  void train(const Batch& batch, const ReadyFn& ready);
  void infer(const Batch& batch);
  Totals totals();

  // Of the last run, NCHW over the minibatch; empty where there is none. Gradients: d loss / d the node's output.
  std::span<const T> value(int node) const { return values_[static_cast<size_t>(node)]; }
  std::span<const T> gradient(int node) const { return gradients_[static_cast<size_t>(node)]; }
  size_t activation_bytes() const { return values_bytes_; }
  size_t scratch_bytes() const { return scratch_bytes_; }
  const Program& program() const { return program_; }

 private:
  struct Forward;
  struct Backward;
  void check(const Batch& batch) const;
  void forward(const Batch& batch);
  void start_backward(const Batch& batch);
  const Node& node(int id) const { return program_.graph.nodes[static_cast<size_t>(id)]; }
  const T* weight(const Node& node, size_t which);  // null where the node has no such parameter
  T* weight_grad(const Node& node, size_t which);

  Program program_;
  ArenaOf<T>& arena_;
  int threads_;
  Buffer memory_, scratch_memory_;
  size_t values_bytes_ = 0, scratch_bytes_ = 0;
  std::vector<std::span<T>> values_, gradients_, saved_;  // by node
  T* scratch_ = nullptr;
  Totals totals_;
};

extern template class Machine<float>;
extern template class Machine<double>;

}  // namespace convoy::reference

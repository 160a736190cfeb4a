// One flat memory for weights, optimizer states and gradients, laid out by Layout: canonical OIHW f32, private layouts
// stay inside the plans. Statistics live at the tail: weights() there are the running values, grads() the minibatch's.
// ArenaOf<double> exists for the float64 oracle; everything else uses Arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/program.h"

namespace convoy {

class Digest;

using Buffer = std::unique_ptr<std::byte[], void (*)(std::byte*)>;
using Allocate = std::function<Buffer(size_t bytes)>;
Buffer host_buffer(size_t bytes);  // zeroed, aligned to 64 bytes; to 2 MiB with huge pages advised when larger

template <class T>
class ArenaOf {
 public:
  ArenaOf(const Graph& graph, const Layout& layout, int states, const Allocate& allocate = host_buffer);

  const Layout& layout() const { return layout_; }
  int states() const { return static_cast<int>(states_.size()); }
  std::span<T> weights() { return span_of(weights_); }
  std::span<const T> weights() const { return span_of(weights_); }
  std::span<T> state(int i) { return span_of(states_[static_cast<size_t>(i)]); }
  std::span<const T> state(int i) const { return span_of(states_[static_cast<size_t>(i)]); }
  std::span<T> grads() { return span_of(grads_); }
  std::span<T> grads(int bucket);
  std::span<T> param(int index) { return piece(weights(), layout_.param_offset, index, true); }
  std::span<T> param_grad(int index) { return piece(grads(), layout_.param_offset, index, true); }
  std::span<T> stat(int index) { return piece(weights(), layout_.stat_offset, index, false); }
  std::span<T> stat_grad(int index) { return piece(grads(), layout_.stat_offset, index, false); }

  // Plans keep copies of the weights, and numbers made of the statistics: whoever changes weights() says so.
  uint64_t version() const { return version_; }
  void weights_changed() { ++version_; }

  // Initial weights: element i of parameter p is a function of (seed, p's name, i); states zero, statistics initial.
  void initialize(uint64_t seed);
  std::string digest() const;         // 32 hex digits over names and weights (statistics included, padding not)
  std::string digest_states() const;  // the same over the optimizer states

 private:
  std::span<T> span_of(const Buffer& b) const {
    return {reinterpret_cast<T*>(b.get()), static_cast<size_t>(layout_.elements)};
  }
  std::span<T> piece(std::span<T> flat, const std::vector<int64_t>& offsets, int index, bool parameter) const;
  void digest_of(const Buffer& values, Digest& into) const;

  Graph graph_;
  Layout layout_;
  Buffer weights_, grads_;
  std::vector<Buffer> states_;
  uint64_t version_ = 1;
};

using Arena = ArenaOf<float>;

}  // namespace convoy

// Fused operations by themselves: tensors with memory of their own, and what runs an operation on them, on the host.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "backends/fused/bodies.h"
#include "backends/fused/interpret.h"

namespace convoy::fused::testing {

class Bench {
 public:
  Id add(Tensor tensor) {
    memory_.emplace_back((tensor.bytes() + 63) / 16 * 2);  // whole doubles
    tensors_.push_back(std::move(tensor));
    return static_cast<Id>(tensors_.size()) - 1;
  }
  Id add(const Tensor& tensor, const std::vector<float>& values) {
    const Id id = add(tensor);
    for (size_t i = 0; i < values.size(); ++i) set(id, i, values[i]);
    return id;
  }
  template <class T>
  T* at(Id id) {
    return reinterpret_cast<T*>(memory_[static_cast<size_t>(id)].data());
  }
  void set(Id id, size_t i, float value) {
    with_storage(tensors_[static_cast<size_t>(id)], [&]<class T>(T) { store(at<T>(id)[i], value); });
  }
  std::vector<float> values(Id id) {
    std::vector<float> values(static_cast<size_t>(tensors_[static_cast<size_t>(id)].elements()));
    with_storage(tensors_[static_cast<size_t>(id)], [&]<class T>(T) {
      for (size_t i = 0; i < values.size(); ++i) values[i] = load(at<T>(id)[i]);
    });
    return values;
  }
  void run(const Operation& operation) {
    std::vector<std::byte*> address;
    for (auto& memory : memory_) address.push_back(reinterpret_cast<std::byte*>(memory.data()));
    const Bound bound{tensors_, address, &facts};
    const size_t bytes = workspace_of(operation, bound) + interpreter_workspace(operation, bound);
    std::vector<double> workspace(bytes / 8 + 2, NAN);  // poisoned
    launches = 0;
    auto* scratch = reinterpret_cast<std::byte*>(workspace.data());
    if (is_library(operation)) return interpret(operation, bound, scratch, 1);
    with_body(operation, bound, scratch, [&](const auto& body, int64_t count) {
      ++launches;
      for (int64_t i = count; i-- > 0;) body(i);  // no order is promised
    });
  }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  StepFacts facts;
  int launches = 0;

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::vector<double>> memory_;
};

}  // namespace convoy::fused::testing

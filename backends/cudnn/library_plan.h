// One library operation (operation.h: ConvForward ... ConvBackwardNorm) made ready by cuDNN, free of CUDA's and
// cuDNN's types. Two makers: graphs.h (cuDNN's graph API, compute capability 8.0 and above) and legacy.h (what is
// older). A plan owns no device memory: the runtime gives it the tensors' addresses, workspace_bytes() of scratch
// that nothing else uses meanwhile, and a copy on the device of constants() that it keeps as long as the plan; all
// aligned to 16 bytes or more. A plan is used by one thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/fused/operation.h"
#include "port/backend.h"

namespace convoy::cudnn {

using fused::Id;
using fused::Operation;
using fused::Tensor;

// For what plans are made: a live cudnnHandle_t, or a device that is not here, in cuDNN's own JSON (cuDNN >= 9.11).
struct Target {
  void* handle = nullptr;
  std::string description;
};

struct Demands {
  Precision precision = Precision::f32;  // f32: no engine that multiplies with fewer bits (TF32)
  bool repeatable = false;               // no engine that may give other bits for the same inputs
  size_t workspace_limit = size_t{1} << 30;
  bool legacy = false;  // the older interface: legacy.h
};

struct DeviceMemory {
  std::span<std::byte* const> address;  // by Id, whole tensors: a group's images are found by the plan
  std::byte* constants = nullptr;
  std::byte* workspace = nullptr;
};

class LibraryPlan {
 public:
  virtual ~LibraryPlan() = default;
  virtual std::string engine() const = 0;  // cuDNN's, with its knobs: "eng0_k24=11"
  virtual size_t workspace_bytes() const = 0;
  virtual std::vector<float> constants() const = 0;
  virtual std::string serialize() const = 0;  // for restore(); empty where there is nothing to gain
  // Enqueues on the stream of `handle`, a cudnnHandle_t. Can be captured.
  virtual void execute(void* handle, const DeviceMemory& memory) = 0;
};

// Milliseconds that a candidate takes on the device; throws where it does not run.
using Timer = std::function<double(LibraryPlan& candidate)>;

}  // namespace convoy::cudnn

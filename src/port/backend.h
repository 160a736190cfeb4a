// THE port: what a backend must do, all of it. A backend compiles the whole Program into a Plan bound to an Arena, or
// throws naming the node; there is no per-operation execution beside the plan and no fallback to another backend.
// Layouts, fusion, streams and workspaces are private to the plan. Nothing here is asynchronous except through Event.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/program.h"
#include "port/arena.h"
#include "port/batch.h"
#include "port/communicator.h"
#include "port/host_copies.h"

namespace convoy {

// What activations, their gradients and the copies of weights that convolutions read are held in; the arena is f32
// throughout. tf32: held in f32, multiplied with 10 bits of mantissa where the hardware does.
enum class Precision : uint8_t { f32, tf32, bf16, fp16 };
constexpr const char* name_of(Precision precision) {
  constexpr const char* names[] = {"f32", "tf32", "bf16", "fp16"};
  return names[static_cast<size_t>(precision)];
}

struct CompileOptions {
  bool keep_values = false;              // no fusion, nothing overwritten: peek() answers for every node
  bool allow_reference_kernels = false;  // a library's slow "ref:" kernels, which only tests ask for
  bool recompute = true;  // values that a pass or two make again are not kept: less memory, same bits
  // Where the backend has it and maps are f32: 3 x 3 convolutions by F(2x2, 3x3), in fewer products and with other rounding.
  bool winograd = false;
  bool times_steps = false;  // StepInfo::seconds; each step is then waited for
};

// What calls of one kind took of a step: "convolution", "reorder", "sum_mask".
struct WorkTime {
  std::string work;
  double seconds = 0;
};

// One line of a plan that can be printed.
struct StepInfo {
  int node = 0;
  Pass pass = Pass::forward;
  std::string implementation;  // "jit:avx2", "fused into layer1.0.bn1", ...
  int64_t flops = 0;           // by definition of the operation, multiply and add counted separately
  int64_t bytes = 0;           // least traffic: inputs read once, outputs written once
  // Of the last run, where CompileOptions::times_steps asks and the backend can say; whole, and call by call.
  double seconds = 0;
  std::vector<WorkTime> calls{};
};

struct PlanInfo {
  std::vector<StepInfo> steps;
  size_t activation_bytes = 0;  // the planned arena of values and gradients
  size_t weight_bytes = 0;      // private, reordered copies
  size_t scratch_bytes = 0;
};

enum class Peek { value, gradient };  // a node's output, and d loss / d output

class Plan {
 public:
  virtual ~Plan() = default;
  // Forward and backward over one worker's minibatch (or several: Batch::workers). OVERWRITES arena.grads() (parameters:
  // d of the minibatch's mean loss; statistics: the minibatch's mean and variance), calling `ready` bucket by bucket.
  // After the first call it allocates nothing.
  virtual void train(const Batch& batch, const ReadyFn& ready) = 0;
  // Forward with running statistics and no dropout. Only for Programs lowered with Mode::inference.
  virtual void infer(const Batch& batch) = 0;
  // Sums over all images since the last call, then starts again at zero.
  virtual Totals totals() = 0;
  // Copies node's value or gradient of the last run into `to` as NCHW f32 (node.shape.elements() * images); false if
  // fusion hid it. Backends that fuse answer for all nodes under CompileOptions::keep_values.
  virtual bool peek(Peek what, int node, std::span<float> to) = 0;
  virtual PlanInfo info() const = 0;
};

// g' = grad_scale*g + decay*w per element, then, with v the state:
//   v = momentum*v + into_velocity*g';  w -= into_weights*v   (Nesterov: w -= into_weights*(into_velocity*g' + lookahead*v))
// The rate inside the velocity (Caffe, eq. 10 of Goyal et al.) is into_velocity with into_weights = 1; outside (PyTorch,
// eq. 9) it is into_weights, and into_velocity is 1 or what a gradient is multiplied by.
template <class T>
struct MomentumStepOf {
  T grad_scale = 1, decay = 0, momentum = 0, into_velocity = 1, into_weights = 1;
  T lookahead = 0;  // Nesterov where it is above 0
};
using MomentumStep = MomentumStepOf<float>;

// RMSprop warm-up (Akiba et al. 2017), g' as above, with the two states v (their -Delta) and m:
//   m = mu2*m + (1-mu2)*g'^2;  v = momentum*v + (alpha_sgd + alpha_rmsprop/(sqrt(m)+epsilon))*g';  w -= rate*v
template <class T>
struct RmspropStepOf {
  T grad_scale = 1, decay = 0, momentum = 0, mu2 = 0, alpha_sgd = 1, alpha_rmsprop = 0, epsilon = 0, rate = 0;
};
using RmspropStep = RmspropStepOf<float>;

// What a Vector does of one tensor. Spans of a task are equally long; tasks of a call do not overlap.
template <class T>
struct NormTaskOf {  // of grad_scale*g + decay*w; of g as it is where there is no w
  std::span<const T> g, w{};
  T grad_scale = 1, decay = 0;
};
template <class T>
struct MomentumTaskOf {
  std::span<T> w, v;
  std::span<const T> g;
  MomentumStepOf<T> step;
};
template <class T>
struct RmspropTaskOf {
  std::span<T> w, v, m;
  std::span<const T> g;
  RmspropStepOf<T> step;
};
// r = keep*r + (1-keep)*scale*s : running statistics from sums over workers. keep = 0 does not read r.
template <class T>
struct AverageTaskOf {
  std::span<T> r;
  std::span<const T> s;
  T keep = 0, scale = 1;
};

// Element-wise work of the optimizers on the device that holds the arena, of many tensors a call: a network has hundreds,
// and each call costs a launch, or a team of threads. Complete when a call returns. Results do not depend on the thread
// count, nor on what stands beside a task in its call.
// VectorOf<double> exists for the float64 oracles; everything else uses Vector.
template <class T>
class VectorOf {
 public:
  virtual ~VectorOf() = default;
  // Sums of squares, each in a fixed order, in double: norms[i] of tasks[i].
  virtual void squared_norms(std::span<const NormTaskOf<T>> tasks, std::span<double> norms) = 0;
  virtual void momentum_steps(std::span<const MomentumTaskOf<T>> tasks) = 0;
  virtual void rmsprop_steps(std::span<const RmspropTaskOf<T>> tasks) = 0;
  virtual void running_averages(std::span<const AverageTaskOf<T>> tasks) = 0;

  double squared_norm(const NormTaskOf<T>& task) {
    double norm = 0;
    squared_norms({&task, 1}, {&norm, 1});
    return norm;
  }
  double squared_norm(std::span<const T> x) { return squared_norm(NormTaskOf<T>{x}); }
};
using Vector = VectorOf<float>;

struct DeviceInfo {
  std::string backend;   // "onednn"
  std::string library;   // "oneDNN 3.2.0"
  std::string isa;       // what the kernels really use: "avx2", "avx512_core_amx", ...
  std::string hardware;  // CPU or GPU model
  int threads = 1;
  DeviceInput input = DeviceInput::planes;  // the most that its plans take of a Batch
};

// What a backend's devices do of a job's sums among themselves.
struct DeviceSums {
  std::unique_ptr<Communicator> communicator;  // null: nothing
  std::string note;                            // for the log: what is used, or why it is not
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceInfo device() const = 0;
  virtual Buffer allocate(size_t bytes) { return host_buffer(bytes); }
  // The arena must outlive the plan; program.layout must be the arena's.
  virtual std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                        const CompileOptions& options) = 0;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena) { return compile(program, arena, {}); }
  virtual Vector& vector() = 0;
  // A communicator around `ranks`, which must outlive it, whose start_sum() is the devices' own (NCCL between GPUs) over
  // memory from allocate(). Collective over ranks that all have this backend.
  virtual DeviceSums sums_over(Communicator& /*ranks*/) { return {}; }
  // For the host's work on memory from allocate(); null: that is the host's own memory.
  virtual std::unique_ptr<HostCopies> host_copies() { return nullptr; }
};

}  // namespace convoy

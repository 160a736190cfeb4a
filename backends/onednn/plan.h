// A compiled Program: the tape with its addresses filled in. Owns the planned memory, the reordered weights and the
// scratchpad; the arena and the batches are the caller's. A run is a walk over the calls, nothing is asynchronous.
#pragma once

#include <memory>
#include <vector>

#include "backends/onednn/tape.h"
#include "net/program.h"
#include "port/backend.h"

namespace convoy::onednn {

// One more whenever an unchanged network gets other bits from this backend: part of a run's fingerprint, as the library's
// version is; changed loops of ours count. 2: maps that a kernel covers by a matrix product. 3: batch norm within convolutions in inference. 4: batch norm of
// bf16 maps by loops of ours.
constexpr int plan_revision = 4;

// OpenMP's thread count is a property of the calling thread: set for one call, then put back.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

class OnednnPlan final : public Plan {
 public:
  OnednnPlan(const Program& program, Arena& arena, const CompileOptions& options, const dnnl::engine& engine,
             int threads, Precision precision);
  void train(const Batch& batch, const ReadyFn& ready) override;
  void infer(const Batch& batch) override;
  Totals totals() override;
  bool peek(Peek what, int node, std::span<float> to) override;
  PlanInfo info() const override;

 private:
  // One instruction, ready to run.
  struct Call {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
    std::function<void(const Run&)> own;
    double seconds = 0;  // of the last run, where they are asked for
  };
  void place_buffers();
  std::vector<Call> bind(const std::vector<Instruction>& instructions);
  void check(const Batch& batch) const;
  void start(const Batch& batch);
  void run(Call& call);
  void run_step(size_t step);

  Program program_;
  Arena& arena_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  int threads_;
  Tape tape_;
  size_t planned_bytes_ = 0, persistent_bytes_ = 0;
  Buffer planned_{nullptr, nullptr}, persistent_{nullptr, nullptr}, scratch_{nullptr, nullptr};
  std::vector<std::byte*> address_;     // by buffer
  std::vector<dnnl::memory> memories_;  // what the calls' arguments refer to
  struct Given {                        // memory whose address comes with the batch
    dnnl::memory memory;
    size_t offset;
  };
  std::vector<Given> images_, tops_;
  std::vector<Call> refresh_, body_;
  std::vector<size_t> step_end_;  // by step: the end of its calls in body_
  bool timed_ = false;            // whether calls are
  uint64_t version_ = 0;          // of the weights that the reordered copies hold
  Run run_;
  Totals totals_;
};

}  // namespace convoy::onednn

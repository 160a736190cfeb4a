// A compiled Program on a Device: the Recipe with memory and code. Owns all of its memory; the arena and the batches are
// the caller's. A run stages the batch, brings the device's copies of the weights up to date where the arena's version
// says so, and launches the body, which is recorded as one graph after the first run. train() then waits for the buckets'
// marks in ascending order and hands each on; it returns when all is done, so its events have always happened.
#pragma once

#include <memory>
#include <vector>

#include "backends/fused/picture_stage.h"
#include "backends/fused/staging.h"
#include "port/backend.h"

namespace convoy::fused {

struct FusedOptions {
  Precision precision = Precision::f32;
  bool graph = true;  // record the body once and launch it, or hand its code to the queue at every run
  int threads = 1;    // that copy a batch
  Fusion fusion = Fusion::norms;
  DeviceInput input = DeviceInput::planes;  // the most that a batch has; files: where the device has a decoder
};

class FusedPlan final : public Plan {
 public:
  FusedPlan(const Program& program, Arena& arena, const CompileOptions& options,
            std::shared_ptr<Device> device, const FusedOptions& fused);
  ~FusedPlan() override;
  FusedPlan(const FusedPlan&) = delete;
  FusedPlan& operator=(const FusedPlan&) = delete;

  void train(const Batch& batch, const ReadyFn& ready) override;
  void infer(const Batch& batch) override;
  Totals totals() override;
  bool peek(Peek what, int node, std::span<float> to) override;
  PlanInfo info() const override;

 private:
  struct Part {  // refresh or body
    std::vector<std::unique_ptr<Code>> code;
    std::unique_ptr<Captured> graph;
  };
  void bind();
  void prepare(const std::vector<Instruction>& instructions, Part& part);
  void check(const Batch& batch) const;
  void check(std::span<const Picture> pictures) const;
  void start(const Batch& batch);
  void run(Part& part, bool marks);
  void enqueue(const Part& part, bool marks);

  std::shared_ptr<Device> device_;  // outlives everything below
  Program program_;
  Arena& arena_;
  FusedOptions options_;
  Recipe recipe_;
  Placement placement_;
  Memory planned_, persistent_;
  Staging staging_;
  std::unique_ptr<PictureStage> pictures_;  // where batches may have some
  std::vector<std::byte*> address_;         // by tensor
  Part refresh_, body_;
  size_t workspace_bytes_ = 0;
  Memory workspace_;
  std::vector<std::unique_ptr<Mark>> marks_;  // by bucket
  std::unique_ptr<Queue> queue_;
  uint64_t version_ = 0;  // of the weights that the device's copies hold
};

}  // namespace convoy::fused

#include "observe/traced_backend.h"

#include <utility>

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;

class TracedPlan final : public Plan {
 public:
  TracedPlan(std::unique_ptr<Plan> plan, SpanSink& sink) : plan_(std::move(plan)), sink_(sink) {}

  void train(const Batch& batch, const ReadyFn& ready) override {
    auto begin = Clock::now();
    bool first = true;
    plan_->train(batch, [&](BucketId bucket, Event event) {
      const auto end = Clock::now();
      sink_.add({.lane = Span::Lane::compute,
                 .name = std::exchange(first, false) ? "forward, backward to bucket" : "backward to bucket",
                 .number = bucket,
                 .begin = begin,
                 .end = end});
      ready(bucket, event);
      begin = Clock::now();
    });
  }
  void infer(const Batch& batch) override {
    const auto begin = Clock::now();
    plan_->infer(batch);
    sink_.add({.lane = Span::Lane::compute,
               .name = "inference of batch",
               .number = batch.step,
               .begin = begin,
               .end = Clock::now()});
  }
  Totals totals() override { return plan_->totals(); }
  bool peek(Peek what, int node, std::span<float> to) override { return plan_->peek(what, node, to); }
  PlanInfo info() const override { return plan_->info(); }

 private:
  std::unique_ptr<Plan> plan_;
  SpanSink& sink_;
};

class TracedBackend final : public Backend {
 public:
  TracedBackend(std::unique_ptr<Backend> backend, SpanSink& sink)
      : backend_(std::move(backend)), sink_(sink) {}
  DeviceInfo device() const override { return backend_->device(); }
  Buffer allocate(size_t bytes) override { return backend_->allocate(bytes); }
  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<TracedPlan>(backend_->compile(program, arena, options), sink_);
  }
  Vector& vector() override { return backend_->vector(); }
  DeviceSums sums_over(Communicator& ranks) override { return backend_->sums_over(ranks); }
  std::unique_ptr<HostCopies> host_copies() override { return backend_->host_copies(); }

 private:
  std::unique_ptr<Backend> backend_;
  SpanSink& sink_;
};

}  // namespace

std::unique_ptr<Backend> make_traced(std::unique_ptr<Backend> backend, SpanSink& sink) {
  return std::make_unique<TracedBackend>(std::move(backend), sink);
}

}  // namespace convoy

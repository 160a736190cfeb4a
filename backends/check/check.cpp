#include "backends/check/check.h"

#include <algorithm>
#include <utility>

#include "backends/check/compare.h"
#include "base/error.h"

namespace convoy {
namespace {

class CheckPlan final : public Plan {
 public:
  CheckPlan(const Program& program, Arena& arena, Backend& oracle, Backend& subject, CompileOptions options,
            const CheckOptions& check)
      : program_(program),
        check_(check),
        arena_(arena),
        twin_(program.graph, program.layout, 0, [&](size_t bytes) { return oracle.allocate(bytes); }),
        title_(subject.device().backend + " against " + oracle.device().backend) {
    options.keep_values = true;
    oracle_ = oracle.compile(program, twin_, options);
    subject_ = subject.compile(program, arena, options);
  }

  void train(const Batch& batch, const ReadyFn& ready) override {
    copy_weights();
    const ReadyFn nobody = [](BucketId, Event) {};
    oracle_->train(batch, nobody);
    subject_->train(batch, nobody);
    compare(batch);
    for (size_t b = 0; b < program_.layout.buckets.size(); ++b) ready(static_cast<BucketId>(b), Event{});
  }

  void infer(const Batch& batch) override {
    copy_weights();
    oracle_->infer(batch);
    subject_->infer(batch);
    compare(batch);
  }

  Totals totals() override {
    const Totals expected = oracle_->totals(), actual = subject_->totals();
    require(expected.images == actual.images && expected.nonfinite == actual.nonfinite,
            "check, {}: {} images ({} not finite) were counted where the oracle counted {} ({})", title_,
            actual.images, actual.nonfinite, expected.images, expected.nonfinite);
    return actual;
  }

  bool peek(Peek what, int node, std::span<float> to) override { return subject_->peek(what, node, to); }
  PlanInfo info() const override { return subject_->info(); }

 private:
  void copy_weights() {
    if (version_ == arena_.version()) return;
    std::copy(arena_.weights().begin(), arena_.weights().end(), twin_.weights().begin());
    twin_.weights_changed();
    version_ = arena_.version();
  }

  void compare(const Batch& batch) {
    const auto difference =
        first_difference(program_, {oracle_.get(), &twin_}, {subject_.get(), &arena_}, check_.k);
    if (difference)
      fail("check, {}: {}, step {}, worker {}: {}", title_, program_.graph.name, batch.step, batch.worker,
           difference->text());
  }

  Program program_;
  CheckOptions check_;
  Arena& arena_;
  Arena twin_;
  std::string title_;
  std::unique_ptr<Plan> oracle_, subject_;
  uint64_t version_ = 0;
};

class CheckBackend final : public Backend {
 public:
  CheckBackend(std::unique_ptr<Backend> oracle, std::unique_ptr<Backend> subject, const CheckOptions& options)
      : oracle_(std::move(oracle)), subject_(std::move(subject)), options_(options) {}

  DeviceInfo device() const override {
    DeviceInfo info = subject_->device();
    info.backend = "check:" + info.backend;
    info.input = DeviceInput::planes;  // all that the oracle takes
    return info;
  }
  Buffer allocate(size_t bytes) override { return subject_->allocate(bytes); }
  std::unique_ptr<HostCopies> host_copies() override { return subject_->host_copies(); }
  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<CheckPlan>(program, arena, *oracle_, *subject_, options, options_);
  }
  Vector& vector() override { return subject_->vector(); }

 private:
  std::unique_ptr<Backend> oracle_, subject_;
  CheckOptions options_;
};

}  // namespace

std::unique_ptr<Backend> make_check(std::unique_ptr<Backend> oracle, std::unique_ptr<Backend> subject,
                                    const CheckOptions& options) {
  return std::make_unique<CheckBackend>(std::move(oracle), std::move(subject), options);
}

}  // namespace convoy

#include "backends/reference/reference.h"

#include <algorithm>

#include "backends/common/host_vector.h"
#include "backends/common/processor.h"
#include "backends/reference/machine.h"
#include "base/error.h"
#include "net/cost.h"

namespace convoy {
namespace {

class ReferencePlan final : public Plan {
 public:
  ReferencePlan(const Program& program, Arena& arena, int threads) : machine_(program, arena, threads) {}

  void train(const Batch& batch, const ReadyFn& ready) override { machine_.train(batch, ready); }
  void infer(const Batch& batch) override { machine_.infer(batch); }
  Totals totals() override { return machine_.totals(); }

  bool peek(Peek what, int node, std::span<float> to) override {
    const auto from = what == Peek::value ? machine_.value(node) : machine_.gradient(node);
    if (from.empty()) return false;
    ensure(from.size() == to.size());
    std::copy(from.begin(), from.end(), to.begin());
    return true;
  }

  PlanInfo info() const override {
    PlanInfo info;
    for (const Step& step : machine_.program().steps) {
      const Cost cost = cost_of(machine_.program(), step);
      info.steps.push_back({step.node, step.pass, "loops", cost.flops, cost.bytes});
    }
    info.activation_bytes = machine_.activation_bytes();
    info.scratch_bytes = machine_.scratch_bytes();
    return info;
  }

 private:
  reference::Machine<float> machine_;
};

class ReferenceBackend final : public Backend {
 public:
  explicit ReferenceBackend(int threads) : threads_(threads), vector_(threads) {}

  DeviceInfo device() const override {
    return {"reference", "none", "as compiled", processor_name(), threads_};
  }
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena, const CompileOptions&) override {
    return std::make_unique<ReferencePlan>(program, arena, threads_);
  }
  Vector& vector() override { return vector_; }

 private:
  int threads_;
  HostVector vector_;
};

}  // namespace

std::unique_ptr<Backend> make_reference(int threads) {
  require(threads > 0, Exit::usage, "the reference backend needs at least one thread, not {}", threads);
  return std::make_unique<ReferenceBackend>(threads);
}

}  // namespace convoy

#include "backends/fused/fused.h"

#include <utility>

#include "base/error.h"

namespace convoy {
namespace {

class FusedBackend final : public Backend {
 public:
  FusedBackend(std::string name, std::shared_ptr<fused::Device> device, const fused::FusedOptions& options)
      : name_(std::move(name)), device_(std::move(device)), options_(options) {}

  DeviceInfo device() const override {
    const fused::DeviceFacts facts = device_->facts();
    return {name_, facts.library, facts.isa, facts.hardware, options_.threads};
  }
  Buffer allocate(size_t bytes) override { return device_->shared_buffer(bytes); }

  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<fused::FusedPlan>(program, arena, options, device_, options_);
  }

  Vector& vector() override { return device_->vector(); }

 private:
  std::string name_;
  std::shared_ptr<fused::Device> device_;
  fused::FusedOptions options_;
};

}  // namespace

std::unique_ptr<Backend> make_fused(std::string name, std::shared_ptr<fused::Device> device,
                                    const fused::FusedOptions& options) {
  return std::make_unique<FusedBackend>(std::move(name), std::move(device), options);
}

std::unique_ptr<Backend> make_fused(int threads) {
  return make_fused("fused", fused::make_host_device({.threads = threads}), {.threads = threads});
}

}  // namespace convoy

#include "backends/fused/fused.h"

#include <utility>

#include "backends/fused/host_copies.h"
#include "base/error.h"

namespace convoy {
namespace {

class FusedBackend final : public Backend {
 public:
  FusedBackend(std::string name, std::shared_ptr<fused::Device> device, const fused::FusedOptions& options)
      : name_(std::move(name)), device_(std::move(device)), options_(options) {
    if (options_.input != DeviceInput::files) return;
    const auto decoder = device_->make_decoder(options_.threads);
    require(decoder != nullptr, Exit::usage,
            "the device of backend {} has no JPEG decoder: its host decodes (--device-input resize or none)",
            name_);
    decoder_ = ", " + decoder->library();
  }

  DeviceInfo device() const override {
    const fused::DeviceFacts facts = device_->facts();
    return {name_, facts.library + decoder_, facts.isa, facts.hardware, options_.threads, options_.input};
  }
  Buffer allocate(size_t bytes) override { return device_->shared_buffer(bytes); }

  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    try {
      return std::make_unique<fused::FusedPlan>(program, arena, options, device_, options_);
    } catch (const fused::OutOfMemory& error) {
      refuse(program, arena, options, error.what());
    }
  }

  Vector& vector() override { return device_->vector(); }
  DeviceSums sums_over(Communicator&) override {
    return {nullptr, "gradients are summed by the MPI library in page-locked memory"};
  }
  std::unique_ptr<HostCopies> host_copies() override { return fused::make_host_copies(device_); }

 private:
  // How many images a worker would fit, a power of two less: found by compiling for them.
  int images_that_fit(const Program& program, Arena& arena, const CompileOptions& options) {
    for (int images = program.images / 2; images > 0; images /= 2) {
      try {
        Program smaller =
            lower(program.graph, images, {.mode = program.mode, .input_gradient = program.input_gradient});
        smaller.layout = program.layout;
        const fused::DeviceFacts facts = device_->facts();
        const fused::Recipe recipe = fused::plan(smaller, arena, options, options_.precision,
                                                 fused::align_of(facts, options_.precision), options_.fusion);
        if (fused::place(recipe).bytes() > facts.free) continue;
        const fused::FusedPlan fits(smaller, arena, options, device_, options_);
        return images;
      } catch (const Error&) {  // still too many, or its batch norm groups do not divide so few
      }
    }
    return 0;
  }

  [[noreturn]] void refuse(const Program& program, Arena& arena, const CompileOptions& options,
                           const std::string& reason) {
    const int fit = images_that_fit(program, arena, options);
    fail("{}: {} image{} a worker do not fit into the memory of the device ({}); {}", program.graph.name,
         program.images, program.images == 1 ? "" : "s", reason,
         fit > 0 ? fmt::format("{} would: give a smaller minibatch.images and more workers", fit)
                 : "not even one would: use a device with more memory");
  }

  std::string name_;
  std::shared_ptr<fused::Device> device_;
  fused::FusedOptions options_;
  std::string decoder_;  // its pixels are part of what the bits depend on
};

}  // namespace

std::unique_ptr<Backend> make_fused(std::string name, std::shared_ptr<fused::Device> device,
                                    const fused::FusedOptions& options) {
  return std::make_unique<FusedBackend>(std::move(name), std::move(device), options);
}

std::unique_ptr<Backend> make_fused(int threads, Precision precision, fused::Fusion fusion,
                                    DeviceInput input) {
  return make_fused(fusion == fused::Fusion::norms ? "fused" : "fused-mainloop",
                    fused::make_host_device({.threads = threads}),
                    {.precision = precision, .threads = threads, .fusion = fusion, .input = input});
}

}  // namespace convoy

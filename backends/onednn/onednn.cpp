#include "backends/onednn/onednn.h"

#include <fmt/format.h>

#include <fstream>
#include <oneapi/dnnl/dnnl.hpp>

#include "backends/common/host_vector.h"
#include "backends/onednn/plan.h"
#include "backends/onednn/shim.h"
#include "base/error.h"

namespace convoy {
namespace {

using dnnl::memory;

// "avx2" of "jit:avx2", asked of an ordinary convolution: the ISA that this program's kernels use, which may be less
// than what the CPU or the library could (AMX has no f32).
std::string isa_of_kernels(const dnnl::engine& engine, memory::data_type type) {
  const auto map = memory::desc({8, 64, 28, 28}, type, memory::format_tag::any);
  const auto weights = memory::desc({64, 64, 3, 3}, type, memory::format_tag::any);
  const auto pd =
      onednn::shim::conv_forward(engine, dnnl::prop_kind::forward_training, map, weights, memory::desc(), map,
                                 {{3, 3}, {1, 1}, {1, 1}}, dnnl::primitive_attr());
  const std::string name = pd.impl_info_str();
  return name.substr(name.rfind(':') + 1);
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown CPU";
}

// bf16 in hardware: where the library would emulate it, it is slower than f32.
void require_bf16() {
  const auto has = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto needed = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  require((has & needed) == needed, Exit::usage,
          "backend onednn computes in bf16 on CPUs that have it (AVX512-BF16, AMX); {} has not, or "
          "ONEDNN_MAX_CPU_ISA hides it: run on another CPU, or give precision.activations=f32",
          cpu_model());
}

class OnednnBackend final : public Backend {
 public:
  OnednnBackend(int threads, Precision precision)
      : engine_(dnnl::engine::kind::cpu, 0),
        threads_(threads),
        precision_(precision),
        isa_(isa_of_kernels(engine_,
                            precision == Precision::bf16 ? memory::data_type::bf16 : memory::data_type::f32)),
        vector_(threads) {}

  DeviceInfo device() const override {
    const dnnl_version_t* v = dnnl_version();
    return {"onednn",
            fmt::format("oneDNN {}.{}.{}, plan {}", v->major, v->minor, v->patch, onednn::plan_revision),
            isa_, cpu_model(), threads_};
  }

  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<onednn::OnednnPlan>(program, arena, options, engine_, threads_, precision_);
  }

  Vector& vector() override { return vector_; }

 private:
  dnnl::engine engine_;
  int threads_;
  Precision precision_;
  std::string isa_;
  HostVector vector_;
};

}  // namespace

std::unique_ptr<Backend> make_onednn(int threads, Precision precision) {
  require(threads > 0, Exit::usage, "the onednn backend needs at least one thread, not {}", threads);
  require(precision == Precision::f32 || precision == Precision::bf16, Exit::usage,
          "backend onednn computes in f32, and in bf16 where the CPU does, and {} is asked for: give "
          "precision.activations=f32 or bf16",
          name_of(precision));
  if (precision == Precision::bf16) require_bf16();
  return std::make_unique<OnednnBackend>(threads, precision);
}

}  // namespace convoy

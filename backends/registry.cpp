#include "backends/registry.h"

#include <fmt/ranges.h>

#include "backends/check/check.h"
#include "backends/fused/fused.h"
#include "backends/onednn/onednn.h"
#include "backends/plugin.h"
#include "backends/reference/reference.h"
#include "base/error.h"
#include "base/text.h"

namespace convoy {

std::vector<std::string> backend_names() {
  return {"reference",      "onednn",       "fused",       "fused-mainloop", "cudnn",
          "cudnn-mainloop", "check:onednn", "check:fused", "check:cudnn"};
}

Precision usual_precision(const std::string& name) {
  return name == "cudnn-mainloop" ? Precision::fp16 : Precision::f32;
}

namespace {

void require_f32(const std::string& name, Precision precision) {
  require(precision == Precision::f32, Exit::usage,
          "backend {} computes in f32, and {} is asked for: give precision.activations=f32, or a backend on "
          "hardware that has it",
          name, name_of(precision));
}

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& name, int threads, int rank, Precision precision,
                                      DeviceInput input) {
  if (name == "reference" || name.starts_with("check:")) require_f32(name, precision);
  if (name == "reference") return make_reference(threads);
  if (name == "onednn") return make_onednn(threads, precision);
  if (name == "fused") return make_fused(threads, precision, fused::Fusion::norms, input);
  if (name == "fused-mainloop") return make_fused(threads, precision, fused::Fusion::main_loop, input);
  if (name == "cudnn") return make_cudnn(threads, rank, precision, fused::Fusion::norms, input);
  if (name == "cudnn-mainloop") {
    require(
        precision == Precision::fp16, Exit::usage,
        "backend cudnn-mainloop computes in fp16 alone, the precision for which cuDNN has convolutions with batch "
        "norm in their main loops, and {} is asked for: give precision.activations=fp16, or the backend cudnn",
        name_of(precision));
    return make_cudnn(threads, rank, precision, fused::Fusion::main_loop, input);
  }
  for (const char* subject : {"onednn", "fused", "cudnn"})
    if (name == std::string("check:") + subject)
      return make_check(make_reference(threads), make_backend(subject, threads, rank));
  const std::string near = nearest(name, backend_names());
  fail(Exit::usage, "there is no backend \"{}\"{}; there are {}", name,
       near.empty() ? "" : fmt::format(", perhaps you mean \"{}\"", near), fmt::join(backend_names(), ", "));
}

}  // namespace convoy

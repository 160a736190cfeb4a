#include "train/port_options.h"

#include <algorithm>

namespace convoy {

size_t bucket_bytes(const Experiment& experiment) {
  return std::max<size_t>(64, static_cast<size_t>(experiment.train.bucket_mib * 1024 * 1024));
}

Wire wire_of(const Experiment& experiment) {
  const AllreduceOptions& options = experiment.allreduce;
  if (options.wire == "f32") return {};
  return {options.wire == "fp16" ? Wire::Format::fp16 : Wire::Format::bf16,
          static_cast<float>(options.scale)};
}

Precision precision_of(const Experiment& experiment) {
  const std::string& activations = experiment.precision.activations;
  for (const Precision precision : {Precision::tf32, Precision::bf16, Precision::fp16})
    if (activations == name_of(precision)) return precision;
  return Precision::f32;
}

bool flushes_denormals(const Experiment& experiment, const std::vector<std::string>& backends) {
  const auto on_gpus = [](const std::string& name) { return name.find("cudnn") != std::string::npos; };
  return experiment.precision.denormals == "flush" && std::ranges::none_of(backends, on_gpus);
}

CompileOptions compile_options_of(const Experiment& experiment, CompileOptions options) {
  options.winograd = experiment.precision.convolutions == "winograd";
  return options;
}

std::string unused_permission(const Experiment& experiment, const PlanInfo& plan) {
  const auto uses = [](const StepInfo& step) {
    return step.implementation.find("winograd") != std::string::npos;
  };
  if (!compile_options_of(experiment).winograd || std::ranges::any_of(plan.steps, uses)) return "";
  return "precision.convolutions is \"winograd\", and this backend computes no convolution of this "
         "network so: all are direct, and the key may be left out";
}

}  // namespace convoy

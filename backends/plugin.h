// The cuDNN backend's plug-in, libconvoy_cudnn.so: looked for in the folders of CONVOY_PLUGINS and in ../lib beside the
// executable, loaded when something asks for it, and never unloaded. One built from another commit is refused.
#pragma once

#include <memory>
#include <string>

#include "backends/cudnn/plugin_abi.h"

namespace convoy {

struct GpuPlugin {
  std::string path;                           // "": there is none
  const cudnn::PluginFacts* facts = nullptr;  // null where it is missing or refused
  std::string trouble;                        // then why, in one sentence
};
GpuPlugin load_gpu_plugin();

// All that decides whether the backend "cudnn" can be had on this host.
struct GpuReport {
  GpuPlugin plugin;
  cudnn::Driver driver;
  cudnn::Cudnn library;
  std::string trouble(size_t gpu) const;  // "" where that GPU can be used
};
GpuReport ask_for_gpus();

// `rank`: this one's turn among the host's ranks on GPUs, which are dealt out to them in a circle.
std::unique_ptr<Backend> make_cudnn(int threads, int rank, Precision precision = Precision::f32,
                                    fused::Fusion fusion = fused::Fusion::norms,
                                    DeviceInput input = DeviceInput::planes);

}  // namespace convoy

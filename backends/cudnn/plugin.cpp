// libconvoy_cudnn.so's one door: the fused backend on a GPU of CUDA.
#include <cuda_runtime_api.h>
#include <cudnn_version.h>

#include <memory>

#include "backends/cudnn/build_commit.h"
#include "backends/cudnn/cuda_device.h"
#include "backends/cudnn/plugin_abi.h"
#include "backends/fused/fused.h"

namespace convoy::cudnn {
namespace {

std::unique_ptr<Backend> make(int gpu, int threads, Precision precision) {
  return make_fused("cudnn", make_cuda_device(gpu), {.precision = precision, .threads = threads});
}

}  // namespace
}  // namespace convoy::cudnn

extern "C" [[gnu::visibility("default")]] const convoy::cudnn::PluginFacts* convoy_cudnn_plugin() {
  static const std::string commit = convoy::cudnn::build_commit();
  static const convoy::cudnn::PluginFacts facts{.commit = commit.c_str(),
                                                .built = {.toolkit = CUDART_VERSION,
                                                          .cudnn = CUDNN_VERSION,
                                                          .architectures = {CONVOY_CUDA_ARCHITECTURES},
                                                          .ptx = CONVOY_CUDA_PTX},
                                                .make = convoy::cudnn::make};
  return &facts;
}

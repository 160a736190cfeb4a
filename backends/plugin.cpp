#include "backends/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <vector>

#include "backends/cudnn/build_commit.h"
#include "base/error.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> places() {
  std::vector<fs::path> found;
  std::string folder;
  if (const char* given = std::getenv("CONVOY_PLUGINS"))
    for (std::istringstream folders(given); std::getline(folders, folder, ':');)
      if (!folder.empty()) found.emplace_back(folder);
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) found.push_back(program.parent_path().parent_path() / "lib");
  return found;
}

fs::path find_plugin() {
  std::error_code ignored;
  for (const fs::path& place : places())
    if (fs::path file = place / cudnn::plugin_file; fs::exists(file, ignored)) return file;
  return {};
}

}  // namespace

GpuPlugin load_gpu_plugin() {
  GpuPlugin plugin;
  plugin.path = find_plugin();
  if (plugin.path.empty()) {
    plugin.trouble = fmt::format(
        "this convoy has no cuDNN plug-in ({}, in ../lib beside the program or in a folder of CONVOY_PLUGINS): "
        "build it where CUDA and cuDNN are installed",
        cudnn::plugin_file);
    return plugin;
  }
  void* library = ::dlopen(plugin.path.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    plugin.trouble = fmt::format("the plug-in {} cannot be loaded: {}", plugin.path, ::dlerror());
    if (plugin.trouble.find("libcudnn") != std::string::npos) {
      const cudnn::Cudnn library_here = cudnn::ask_cudnn();
      plugin.trouble += library_here.version == 0
                            ? "; install that cuDNN, or put its folder on LD_LIBRARY_PATH"
                            : fmt::format("; this host has cuDNN {} ({}), install the one asked for",
                                          cudnn::cudnn_text(library_here.version), library_here.library);
    }
    return plugin;
  }
  const auto entry = reinterpret_cast<cudnn::PluginFn>(::dlsym(library, cudnn::plugin_symbol));
  const cudnn::PluginFacts* facts = entry == nullptr ? nullptr : entry();
  const auto other_build = [&](const std::string& what) {
    plugin.trouble = fmt::format(
        "the plug-in {} is of another build ({}) than this program ({}): build both together, or take the "
        "folder out of CONVOY_PLUGINS",
        plugin.path, what, cudnn::build_commit());
  };
  if (facts == nullptr)
    other_build(fmt::format("it has no {}", cudnn::plugin_symbol));
  else if (facts->abi != cudnn::plugin_abi)
    other_build(fmt::format("interface {} instead of {}", facts->abi, cudnn::plugin_abi));
  else if (facts->commit != cudnn::build_commit())
    other_build(facts->commit);
  else
    plugin.facts = facts;
  return plugin;
}

std::string GpuReport::trouble(size_t gpu) const {
  if (!driver.trouble.empty()) return driver.trouble;
  if (plugin.facts == nullptr) return plugin.trouble;
  return cudnn::trouble_of(driver, library, plugin.facts->built, gpu);
}

GpuReport ask_for_gpus() {
  GpuReport report{.plugin = load_gpu_plugin(), .driver = cudnn::ask_driver(), .library = {}};
  report.library = cudnn::ask_cudnn();  // behind the plug-in, which may know where it lies
  return report;
}

std::unique_ptr<Backend> make_cudnn(int threads, int rank, Precision precision, fused::Fusion fusion,
                                    DeviceInput input) {
  require(threads > 0, Exit::usage, "the cudnn backend needs at least one thread, not {}", threads);
  const GpuReport report = ask_for_gpus();
  const size_t gpu = report.driver.gpus.empty() ? 0 : static_cast<size_t>(rank) % report.driver.gpus.size();
  const std::string trouble = report.trouble(gpu);
  require(trouble.empty(), "the backend cudnn cannot be used: {}", trouble);
  return report.plugin.facts->make(static_cast<int>(gpu), threads, precision, fusion, input);
}

}  // namespace convoy

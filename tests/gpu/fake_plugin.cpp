// Stands in for libconvoy_cudnn.so: the reference backend behind the plug-in's door, so that all of the way through it
// is tested without CUDA. The environment plants what can be wrong with it: FAKE_PLUGIN holds words key=value.
#include <cstdlib>
#include <sstream>
#include <string>

#include "backends/cudnn/build_commit.h"
#include "backends/cudnn/plugin_abi.h"
#include "backends/reference/reference.h"
#include "base/error.h"

namespace {

std::string planted(const std::string& key, const std::string& otherwise) {
  const char* text = std::getenv("FAKE_PLUGIN");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;)
    if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
  return otherwise;
}

std::unique_ptr<convoy::Backend> make(int gpu, int threads, convoy::Precision) {
  if (planted("fails", "no") == "yes")
    throw convoy::Error("GPU " + std::to_string(gpu) + " fell off the bus", convoy::Exit::temporary);
  if (planted("fails", "no") == "foreign") throw std::runtime_error("of a library");
  return convoy::make_reference(threads);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] const convoy::cudnn::PluginFacts* convoy_cudnn_plugin() {
  static const std::string commit = planted("commit", convoy::cudnn::build_commit());
  static const convoy::cudnn::PluginFacts facts{
      .abi = static_cast<uint32_t>(std::stoul(planted("abi", std::to_string(convoy::cudnn::plugin_abi)))),
      .commit = commit.c_str(),
      .built = {.toolkit = std::stoi(planted("toolkit", "13000")),
                .cudnn = std::stoi(planted("cudnn", "91900")),
                .architectures = {80, 90},
                .ptx = std::stoi(planted("ptx", "90"))},
      .make = make};
  return &facts;
}

// What libconvoy_cudnn.so and the program that loads it have in common. The first two members of PluginFacts never move,
// so that a plug-in of any other version can be recognized; all else is C++ of one and the same build: the same commit.
// The plug-in links its own copy of the lower rooms, hidden from the program's; what crosses are these types, the port's
// and convoy::Error, which libstdc++ recognizes by name. It is never unloaded: exceptions and objects have code in it.
#pragma once

#include <cstdint>
#include <memory>

#include "backends/cudnn/driver.h"
#include "backends/fused/fusion.h"
#include "port/backend.h"

namespace convoy::cudnn {

constexpr uint32_t plugin_abi = 2;
constexpr const char* plugin_file = "libconvoy_cudnn.so";
constexpr const char* plugin_symbol = "convoy_cudnn_plugin";

struct PluginFacts {
  uint32_t abi = plugin_abi;
  const char* commit = "";  // build_commit() of the plug-in
  Built built{};
  // GPU by the driver's number; `threads` is for what stays on the host.
  std::unique_ptr<Backend> (*make)(int gpu, int threads, Precision precision, fused::Fusion fusion,
                                   DeviceInput input) = nullptr;
};
using PluginFn = const PluginFacts* (*)();  // convoy_cudnn_plugin, extern "C"

}  // namespace convoy::cudnn

// --device-input: what of the images' way into the network a rank's device does (port/picture.h).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "port/backend.h"
#include "port/communicator.h"

namespace convoy::cli {

void add_device_input(CLI::App& command, std::string& word);
DeviceInput input_of(const std::string& word);  // "none", "resize", "decode"

// What this rank's device does: as much of `wanted` as it can. Collective; where it was `given` by flag, an error if no rank's can
// anything of it.
DeviceInput input_on(const Backend& backend, DeviceInput wanted, bool given, Communicator& comm);

}  // namespace convoy::cli

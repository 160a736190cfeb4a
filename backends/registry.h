// The backends that this program has, by name. "check:X" runs X next to the reference and reports the first node that
// differs; "cudnn" is a plug-in (plugin.h), and where it cannot be used asking for it says why. "X-mainloop": X with batch
// norm within the convolutions' main loops (backends/fused/mainloop.h). The one place that knows them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "port/backend.h"

namespace convoy {

std::vector<std::string> backend_names();

// One that the backend computes in: what those that need no other are asked for.
Precision usual_precision(const std::string& name);

// `threads`: threads of every call of the backend, at least one. `rank`: this one's turn among the host's ranks of the same
// backend, which share out its GPUs. An unknown name is an error that suggests a near one, a precision that the backend does
// not have is one that says so. `input`: what the device does of an image's way at most; files: an error where it has no
// decoder. Backends whose device is the host's own memory take planes, whatever is asked for (DeviceInfo::input tells).
std::unique_ptr<Backend> make_backend(const std::string& name, int threads, int rank = 0,
                                      Precision precision = Precision::f32,
                                      DeviceInput input = DeviceInput::planes);

}  // namespace convoy

// The backends that this program has, by name. "check:X" runs X next to the reference and reports the first node that
// differs. The one place that knows them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "port/backend.h"

namespace convoy {

std::vector<std::string> backend_names();

// `threads`: threads of every call of the backend, at least one. An unknown name is an error that suggests a near one, a
// precision that the backend does not have is one that says so.
std::unique_ptr<Backend> make_backend(const std::string& name, int threads,
                                      Precision precision = Precision::f32);

}  // namespace convoy

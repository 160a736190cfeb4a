// Which program wrote a result: version, commit and whether the tree differed from it (both null outside a git tree),
// compiler, flags and libraries of this build.
#pragma once

#include <nlohmann/json.hpp>

namespace convoy {

nlohmann::ordered_json tool_json();

}  // namespace convoy

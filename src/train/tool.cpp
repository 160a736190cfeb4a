#include "train/tool.h"

#include <convoy_commit.h>  // generated at every build: src/train/commit.cmake

#include <string>

#include "train/checkpoint.h"

namespace convoy {

nlohmann::ordered_json tool_json() {
  using Json = nlohmann::ordered_json;
#if defined(__clang__)
  const std::string compiler = "Clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
  const std::string commit = CONVOY_COMMIT;
  return {{"name", "convoy"},
          {"version", CONVOY_VERSION},
          {"commit", commit.empty() ? Json(nullptr) : Json(commit)},
          {"dirty", commit.empty() ? Json(nullptr) : Json(CONVOY_DIRTY)},
          {"compiler", compiler},
          {"flags", CONVOY_FLAGS},
          {"libraries", {{"hdf5", checkpoint_library()}}}};
}

}  // namespace convoy

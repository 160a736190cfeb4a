#include "backends/cudnn/build_commit.h"

#include <convoy_commit.h>  // generated at every build: src/train/commit.cmake

namespace convoy::cudnn {

std::string build_commit() {
  const std::string commit = CONVOY_COMMIT;
  if (commit.empty()) return CONVOY_VERSION;
  return CONVOY_DIRTY ? commit + "+" : commit;
}

}  // namespace convoy::cudnn

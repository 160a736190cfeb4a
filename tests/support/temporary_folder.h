// A folder of its own for a test case, gone with it.
#pragma once

#include "base/temporary_folder.h"

namespace convoy::testing {

struct TemporaryFolder : convoy::TemporaryFolder {
  TemporaryFolder() : convoy::TemporaryFolder("convoy-test") {}
};

}  // namespace convoy::testing

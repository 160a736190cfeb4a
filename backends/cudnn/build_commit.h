// The commit that this copy of the code was built from, "+" behind it where the tree differed; outside git, the version.
#pragma once

#include <string>

namespace convoy::cudnn {

std::string build_commit();

}  // namespace convoy::cudnn

#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace convoy {

void fail_errno(int error_number, const std::string& what) {
  const bool temporary = error_number == ENOSPC || error_number == EDQUOT || error_number == EIO ||
                         error_number == ESTALE || error_number == EAGAIN;
  const char* advice = "";
  if (error_number == ENOSPC || error_number == EDQUOT) advice = " (free some space, then run it again)";
  if (error_number == EACCES || error_number == EPERM) advice = " (check the permissions of the path)";
  throw Error(fmt::format("{}: {}{}", what, std::strerror(error_number), advice),
              temporary ? Exit::temporary : Exit::failed);
}

}  // namespace convoy

#include <stdexcept>
#include <string>

#include "base/error.h"
#include "readers.h"

namespace convoy::fuzz {

bool feed(const Reader& reader, Bytes bytes) {
  try {
    reader.read(bytes);
    return true;
  } catch (const Error& error) {
    const std::string reason = error.what();
    if (reason.empty() || reason.starts_with("internal error at "))
      throw std::logic_error(fmt::format("{}: {}", reader.name, reason));
    return false;
  }
}

}  // namespace convoy::fuzz

// The backend under test: "onednn", unless the environment's CONVOY_TEST_BACKEND names another (tests/gpu/check.sh).
#pragma once

#include <cstdlib>
#include <string>

namespace convoy {

inline std::string subject_backend() {
  const char* name = std::getenv("CONVOY_TEST_BACKEND");
  return name == nullptr ? "onednn" : name;
}

}  // namespace convoy

// The backend under test: "onednn", for some tests also "fused", unless the environment's CONVOY_TEST_BACKEND names another
// (tests/gpu/check.sh).
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

namespace convoy {

inline std::string subject_backend() {
  const char* name = std::getenv("CONVOY_TEST_BACKEND");
  return name == nullptr ? "onednn" : name;
}

inline std::vector<std::string> subject_backends() {
  if (std::getenv("CONVOY_TEST_BACKEND") != nullptr) return {subject_backend()};
  return {"onednn", "fused"};
}

}  // namespace convoy

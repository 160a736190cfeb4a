// The onednn backend in bf16, where the CPU has it.
#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "backends/onednn/onednn.h"
#include "base/error.h"

namespace convoy::parity {

// Null, loudly, where it has not.
inline std::unique_ptr<Backend> bf16_backend(int threads) {
  try {
    return make_onednn(threads, Precision::bf16);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("AVX512-BF16"));
    WARN("SKIPPED: bf16 of the onednn backend: " << error.what());
    return nullptr;
  }
}

}  // namespace convoy::parity

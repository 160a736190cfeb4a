// libFuzzer's entry: one executable a reader, fuzz_READER (run.sh). Built where CONVOY_SANITIZE has "fuzzer-no-link".
#include <algorithm>
#include <cstdint>

#include "readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convoy::fuzz;
  static const std::vector<Reader> readers = CONVOY_FUZZ_ROOM();
  static const auto reader = std::ranges::find(readers, CONVOY_FUZZ_READER, &Reader::name);
  feed(*reader, std::as_bytes(std::span(data, size)));
  return 0;
}

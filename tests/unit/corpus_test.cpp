// The fuzzers' corpora and found cases (tests/fuzz/corpus), replayed: read, or refused with a reason.
#include <catch2/catch.hpp>
#include <filesystem>

#include "../fuzz/readers.h"
#include "base/file.h"

namespace convoy {

TEST_CASE("what the fuzzers have found ends cleanly") {
  namespace fs = std::filesystem;
  size_t readers = 0, files = 0;
  for (const auto& room :
       {fuzz::data_readers(), fuzz::train_readers(), fuzz::report_readers(), fuzz::interop_readers()})
    for (const fuzz::Reader& reader : room) {
      ++readers;
      const fs::path corpus = fs::path(CONVOY_SOURCE_DIR) / "tests/fuzz/corpus" / reader.name;
      if (!fs::exists(corpus)) continue;
      for (const auto& entry : fs::directory_iterator(corpus)) {
        INFO(entry.path().string());
        const std::string bytes = read_text(entry.path());
        CHECK_NOTHROW(fuzz::feed(reader, std::as_bytes(std::span(bytes))));
        ++files;
      }
    }
  CHECK(readers == 13);
  CHECK(files > 0);
}

}  // namespace convoy

// Every reader of what others wrote, as a function of bytes: for the fuzzer (main.cpp), and for the unit tests, which
// replay corpus/READER/* on every build. A reader may accept or throw Error with a reason; anything else is a finding:
// another exception, an "internal error", a crash, or what a sanitizer sees.
// Of readers that take several files the bytes are those files, one behind the other, with a 0x1e between them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace convoy::fuzz {

using Bytes = std::span<const std::byte>;

struct Reader {
  std::string_view name;
  void (*read)(Bytes);
};

// True: read; false: refused with a reason. Throws std::logic_error for an "internal error".
bool feed(const Reader& reader, Bytes bytes);

// One room's readers each: readers_ROOM.cpp.
std::vector<Reader> data_readers();     // jpeg, png, coefficients, shard, manifest, tar, labels, devkit
std::vector<Reader> train_readers();    // checkpoint, job
std::vector<Reader> report_readers();   // result, logs
std::vector<Reader> interop_readers();  // safetensors

}  // namespace convoy::fuzz

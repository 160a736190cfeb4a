// fuzz_replay READER [--mutate SECONDS] FILE...: files given to a reader on any compiler's build, and with --mutate changed at
// random for so long: no guidance by coverage, but a hundred times the speed. A crash leaves the bytes in fuzz_replay.last.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "readers.h"

namespace {

using namespace convoy;
using Clock = std::chrono::steady_clock;

const fuzz::Reader& reader_called(const std::string& name) {
  static const auto rooms = {fuzz::data_readers(), fuzz::train_readers(), fuzz::report_readers(),
                             fuzz::interop_readers()};
  for (const auto& room : rooms)
    for (const fuzz::Reader& reader : room)
      if (reader.name == name) return reader;
  fail(Exit::usage, "there is no reader {}: tests/fuzz/readers.h lists them", name);
}

bool feed(const fuzz::Reader& reader, const std::string& bytes) {
  return fuzz::feed(reader, std::as_bytes(std::span(bytes)));
}

// One to four changes: a bit, a byte, a run cut out, doubled, or taken from another file.
std::string mutated(std::string bytes, const std::vector<std::string>& others, Random& random) {
  const auto below = [&](size_t limit) { return random.next_below(static_cast<uint32_t>(limit)); };
  static constexpr unsigned char telling[] = {0,   1,   0x7f, 0x80, 0xff, '0', '9',
                                              '-', '"', '{',  '[',  '\n', 0x1e};
  for (uint32_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const size_t at = below(bytes.size()), length = std::min<size_t>(1 + below(64), bytes.size() - at);
    const std::string& other = others[below(others.size())];
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(telling[below(std::size(telling))]);
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.replace(at, length, length, static_cast<char>(telling[below(std::size(telling))]));
        break;
      default:
        if (!other.empty()) bytes.replace(at, length, other.substr(below(other.size()), 1 + below(64)));
    }
  }
  return bytes;
}

int run(int argc, char** argv) {
  require(argc > 2, Exit::usage, "usage: fuzz_replay READER [--mutate SECONDS] FILE...");
  const fuzz::Reader& reader = reader_called(argv[1]);
  const bool mutates = std::string(argv[2]) == "--mutate" && argc > 4;
  std::vector<std::string> seeds;
  int64_t read = 0, refused = 0;
  for (int i = mutates ? 4 : 2; i < argc; ++i) {
    seeds.push_back(read_text(argv[i]));
    (feed(reader, seeds.back()) ? read : refused)++;
  }
  if (mutates) {
    Random random(static_cast<uint64_t>(Clock::now().time_since_epoch().count()), stream_of("fuzz_replay"));
    const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[3]));
    while (Clock::now() < end) {
      const std::string bytes =
          mutated(seeds[random.next_below(static_cast<uint32_t>(seeds.size()))], seeds, random);
      std::ofstream("fuzz_replay.last", std::ios::binary) << bytes;
      (feed(reader, bytes) ? read : refused)++;
    }
    std::remove("fuzz_replay.last");
  }
  fmt::print("{}: {} read, {} refused\n", reader.name, read, refused);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "fuzz_replay: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}

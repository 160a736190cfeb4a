// No flipped bit in a file of weights passes in silence.
#include <catch2/catch.hpp>

#include "../fuzz/small_network.h"
#include "../support/every_byte.h"
#include "../support/temporary_folder.h"
#include "interop/safetensors.h"
#include "interop/weights.h"
#include "train/checkpoint.h"

namespace convoy {
namespace {

using testing::EveryByte;
using testing::flip_every_byte;

std::string content_of(const Arena& arena) { return arena.digest() + " " + arena.digest_states(); }

}  // namespace

TEST_CASE("every byte of a checkpoint flipped is caught as damage, or changes nothing that is read") {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint-00000003.h5";
  fuzz::SmallNetwork small;
  write_checkpoint(path, small.graph, small.arena,
                   {3, 7, "hash", "optimizer.momentum = 0.9\n", "threads = 1\n", "bitwise"});
  const auto read = [&] {
    const Snapshot found = read_checkpoint(path, small.graph, small.arena);
    return content_of(small.arena) + fmt::format(" {} {} {} {} {} {}", found.step, found.seed, found.hash,
                                                 found.arithmetic, found.fingerprint, found.claim);
  };
  // Damage, and not "of another network": then the one before it serves.
  const EveryByte found = flip_every_byte(path, read, [](const Error& error) {
    return dynamic_cast<const BrokenCheckpoint*>(&error) != nullptr;
  });
  INFO(fmt::format("{} bytes: {} caught, {} of no meaning", found.bytes, found.caught, found.equal));
  CHECK(found.silent == std::vector<size_t>{});
  CHECK(found.unusual == std::vector<std::string>{});
  CHECK(found.caught > 2 * small.arena.weights().size_bytes());
}

TEST_CASE("every byte of a safetensors file flipped is caught, or changes nothing that is read") {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "a.safetensors";
  fuzz::SmallNetwork small;
  const TensorMetadata metadata{{"format", "pt"}, {"steps", "3"}};
  export_weights(path, small.graph, small.arena, 3, metadata);
  const auto read = [&] {
    std::string text;
    const Imported found = import_weights(path, small.graph, small.arena);
    for (const auto& [key, value] : metadata) text += found.metadata.at(key) + " ";
    return text + content_of(small.arena);
  };
  const EveryByte found = flip_every_byte(path, read, [](const Error&) { return true; });
  INFO(fmt::format("{} bytes: {} caught, {} of no meaning", found.bytes, found.caught, found.equal));
  CHECK(found.silent == std::vector<size_t>{});
  CHECK(found.caught > small.arena.weights().size_bytes());
  CHECK(found.equal < 64);  // of the checksum's own key, and spaces
}

}  // namespace convoy

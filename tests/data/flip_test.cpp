// No flipped bit in a shard passes in silence: what training would read of it stays equal, or an error says where.
#include <catch2/catch.hpp>

#include "../support/every_byte.h"
#include "data/dataset.h"
#include "data/pack.h"
#include "data/verify.h"
#include "pack_fixtures.h"

namespace convoy {

TEST_CASE("every byte of a shard flipped is caught, or changes nothing that training reads") {
  const fixtures::TemporaryFolder folder;
  fixtures::write_folder_set(folder.path() / "in", 2, 1);
  PackOptions options;
  options.source = folder.path() / "in";
  options.out = folder.path() / "set";
  options.threads = 1;
  LocalCommunicator comm;
  pack(options, comm, Log{});
  const auto path = options.out / "shard-00000-of-00001.h5";
  const auto read = [&] {
    std::string text;
    std::vector<std::byte> image;
    const Dataset set = Dataset::open(options.out, comm);
    for (int64_t i = 0; i < set.samples(); ++i) {
      set.read(i, image);
      text += fmt::format("{} {} {}", set.label(i), set.name(i), set.length(i));
      text.append(reinterpret_cast<const char*>(image.data()), image.size());
    }
    return text;
  };
  const testing::EveryByte found = testing::flip_every_byte(path, read, [](const Error&) { return true; });
  INFO(fmt::format("{} bytes: {} caught, {} of no meaning", found.bytes, found.caught, found.equal));
  CHECK(found.silent == std::vector<size_t>{});
  CHECK(found.caught > read_shard(path).image_bytes);
  // `convoy verify` finds those that no reader looks at, too: here one in a gap between two columns.
  const std::string content = read_text(path);
  const uint64_t gap = content.find(std::string(64, '\0'));
  REQUIRE(gap != std::string::npos);
  File(path, File::Mode::update).write_at(gap, "x", 1);
  CHECK_FALSE(verify(options.out, 1, Log{}).good());
}

}  // namespace convoy

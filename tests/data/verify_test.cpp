// No byte of a dataset can change unseen, and what changed is named.
#include "data/verify.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "data/pack.h"
#include "data/shard.h"
#include "data/shard_hdf5.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

struct Packed {
  fixtures::TemporaryFolder folder;
  fs::path out = folder.path() / "out";
  explicit Packed(int shards, int per_class = 4) {
    fixtures::write_folder_set(folder.path() / "set", 2, per_class);
    PackOptions options;
    options.source = folder.path() / "set";
    options.out = out;
    options.shards = shards;
    LocalCommunicator comm;
    pack(options, comm, Log());
  }
  VerifyReport check() const { return verify(out, 1, Log()); }
  std::string problem() const {
    const VerifyReport report = check();
    return report.problems.empty() ? "" : report.problems[0];
  }
};

void flip(const fs::path& path, size_t i, const fixtures::Bytes& original) {
  const std::byte changed = original[i] ^ std::byte{static_cast<unsigned char>(1u << i % 8)};
  File(path, File::Mode::update).write_at(i, &changed, 1);
}

// All bytes are tried, but amid an image, where all are hashed alike, every 7th.
TEST_CASE("verify: any byte of a dataset, changed alone, is found") {
  const Packed set(1, 2);
  REQUIRE(set.check().good());
  REQUIRE(set.check().records == 4);
  const fs::path shard = set.out / shard_name(0, 1);
  const Shard index = read_shard(shard);
  const auto original = fixtures::read_bytes(shard);
  size_t inside = 0, named = 0;
  for (size_t i = 0; i < original.size(); ++i) {
    const ShardRow* image = nullptr;
    uint64_t within = 0;
    for (const auto& row : index.rows) {
      const uint64_t begin = index.layout.images + row.offset;
      if (i >= begin && i < begin + row.length) image = &row, within = i - begin;
    }
    if (image != nullptr && within % 7 != 0 && within + 1 != image->length) continue;
    flip(shard, i, original);
    const VerifyReport report = set.check();
    if (report.good()) FAIL("byte " << i << " changed unseen");
    if (image != nullptr) {
      ++inside;
      named += report.bad == 1 && report.problems.size() == 1 &&
               report.problems[0].find(image->name) != std::string::npos;
    }
    File(shard, File::Mode::update).write_at(i, &original[i], 1);
  }
  CHECK(inside > 150);
  CHECK(named == inside);
  CHECK(set.check().good());

  const auto json = fixtures::read_bytes(set.out / manifest_name);
  for (size_t i = 0; i < json.size(); ++i) {
    flip(set.out / manifest_name, i, json);
    if (set.check().good()) FAIL("byte " << i << " of dataset.json changed unseen");
    LocalCommunicator comm;
    REQUIRE_THROWS_AS(Dataset::open(set.out, comm), Error);
    File(set.out / manifest_name, File::Mode::update).write_at(i, &json[i], 1);
  }
}

TEST_CASE("verify: a damaged index names the record, whatever the column") {
  const Packed set(1);
  const fs::path shard = set.out / shard_name(0, 1);
  const auto original = fixtures::read_bytes(shard);
  const Shard index = read_shard(shard);
  const ShardRow& row = index.rows[3];
  const auto at_name =
      std::search(original.begin(), original.end(), reinterpret_cast<const std::byte*>(row.name.data()),
                  reinterpret_cast<const std::byte*>(row.name.data()) + row.name.size());
  REQUIRE(at_name != original.end());
  auto bytes = original;
  bytes[static_cast<size_t>(at_name - original.begin()) + 5] = std::byte{'9'};
  fixtures::write_bytes(shard, bytes);
  CHECK(set.problem().find("the index of record 3") != std::string::npos);
  LocalCommunicator comm;
  CHECK_THROWS_WITH(Dataset::open(set.out, comm), Catch::Contains("the index of record 3"));
}

TEST_CASE("verify: missing, truncated, lengthened, swapped and foreign shards are named") {
  const Packed set(2);
  const fs::path first = set.out / shard_name(0, 2), second = set.out / shard_name(1, 2);
  const auto one = fixtures::read_bytes(first), two = fixtures::read_bytes(second);
  LocalCommunicator comm;
  const auto both_say = [&](const std::string& words, bool lost = true) {
    const VerifyReport report = set.check();
    INFO((report.problems.empty() ? "no problem" : report.problems[0]));
    CHECK((report.bad > 0) == lost);
    bool found = false;
    for (const auto& problem : report.problems)
      found |= problem.find(words) != std::string::npos && problem.find("shard-0000") != std::string::npos;
    CHECK(found);
    CHECK_THROWS_WITH(Dataset::open(set.out, comm), Catch::Contains(words));
  };
  fs::remove(first);
  both_say("is missing");
  for (const size_t bytes : {size_t{0}, size_t{100}, size_t{3000}, one.size() / 2, one.size() - 1}) {
    fixtures::write_bytes(first, {one.begin(), one.begin() + static_cast<ptrdiff_t>(bytes)});
    both_say("is truncated", bytes + 512 < one.size());  // the last bytes are HDF5's: no image goes with them
  }
  fixtures::write_bytes(first, one);
  fs::resize_file(first, one.size() + 1);
  CHECK(set.problem().find("is too long") != std::string::npos);
  fixtures::write_bytes(first, two);
  CHECK(!set.check().good());
  fixtures::write_bytes(first, one);
  CHECK(set.check().good());
  fixtures::write_bytes(set.out / shard_name(7, 9), one);
  CHECK(set.problem().find("does not belong") != std::string::npos);
  CHECK_THROWS_WITH(verify(set.folder.path(), 1, Log()), Catch::Contains("no packed dataset"));
}

TEST_CASE("verify: a truncated shard's lost records are named") {
  const Packed set(1, 60);
  const fs::path path = set.out / shard_name(0, 1);
  const Shard index = read_shard(path);
  fs::resize_file(path, index.layout.images + index.rows[118].offset + 10);
  const VerifyReport cut = set.check();
  CHECK(cut.bad == 2);
  REQUIRE(cut.problems.size() == 3);
  CHECK(cut.problems[1].find("record 118 (" + index.rows[118].name) != std::string::npos);
  CHECK(cut.problems[2].find("record 119 (" + index.rows[119].name) != std::string::npos);
  CHECK(cut.problems[2].find("behind the end") != std::string::npos);
  fs::resize_file(path, 5000);
  CHECK(set.check().bad == 120);
}

TEST_CASE("shard: an attribute that is missing is named") {
  const fixtures::TemporaryFolder folder;
  const fs::path path = folder.path() / shard_name(0, 1);
  const std::map<std::string, uint64_t> numbers = {{"seed", 1}, {"shard", 0}, {"shards", 1}};
  create_hdf5(path, {{"images", ColumnType::u8, 10}}, numbers, {{"schema", "convoy.shard/1"}});
  CHECK_THROWS_WITH(read_shard(path),
                    Catch::Contains("attribute plan is missing") && Catch::Contains(path.string()));
}

TEST_CASE("verify: the list of what was left out is covered") {
  const fixtures::TemporaryFolder folder;
  fixtures::write_folder_set(folder.path() / "set", 2, 3);
  fixtures::write_text(folder.path() / "set" / "n00000001" / "image00.JPEG", "rubbish");
  PackOptions options;
  options.source = folder.path() / "set";
  options.out = folder.path() / "out";
  options.quarantine = true;
  LocalCommunicator comm;
  pack(options, comm, Log());
  const fs::path list = options.out / quarantine_name;
  const auto original = fixtures::read_bytes(list);
  for (size_t i = 0; i < original.size(); ++i) {
    flip(list, i, original);
    if (verify(options.out, 1, Log()).good()) FAIL("byte " << i << " changed unseen");
    File(list, File::Mode::update).write_at(i, &original[i], 1);
  }
  CHECK(verify(options.out, 1, Log()).good());
  fs::remove(list);
  const VerifyReport report = verify(options.out, 1, Log());
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find(quarantine_name) != std::string::npos);
  CHECK(report.bad == 0);
  CHECK(Dataset::open(options.out, comm).samples() == 5);
}

TEST_CASE("dataset: every rank has the index, and pairs that do not fit are refused") {
  const Packed set(2);
  std::vector<std::string> seen(3);
  fixtures::run_ranks(3, [&](Communicator& comm) {
    const Dataset mine = Dataset::open(set.out, comm);
    std::string& text = seen[static_cast<size_t>(comm.rank())];
    std::vector<std::byte> encoded;
    for (int64_t i = 0; i < mine.samples(); ++i) {
      mine.read(i, encoded);
      text += fmt::format("{} {} {};", mine.name(i), mine.label(i), encoded.size());
    }
  });
  CHECK(!seen[0].empty());
  CHECK(seen[1] == seen[0]);
  CHECK(seen[2] == seen[0]);

  LocalCommunicator comm;
  const Dataset two = Dataset::open(set.out, comm);
  CHECK_NOTHROW(check_pair(two, two));
  const auto packed_as = [&](int classes, const std::string& table) {
    const fs::path source = set.folder.path() / fmt::format("set{}", classes);
    fixtures::write_folder_set(source, classes, 2);
    PackOptions options;
    options.source = source;
    options.out = set.folder.path() / fmt::format("out{}{}", classes, table.size());
    if (!table.empty()) {
      options.classes = set.folder.path() / "table";
      fixtures::write_text(options.classes, table);
    }
    pack(options, comm, Log());
    return Dataset::open(options.out, comm);
  };
  const Dataset three = packed_as(3, "");
  CHECK_THROWS_WITH(check_pair(two, three), Catch::Contains("--classes") && Catch::Contains("n00000003"));
  const Dataset swapped = packed_as(2, "n00000002\nn00000001\n");
  CHECK_THROWS_WITH(check_pair(two, swapped), Catch::Contains("class 0 is n00000002"));
  const Dataset one = packed_as(1, "n00000001\nn00000002\n");
  CHECK_NOTHROW(check_pair(two, one));
  CHECK_THROWS_WITH(check_pair(one, two), Catch::Contains("one class only"));
}

}  // namespace
}  // namespace convoy

// Shards read by h5py (tests/data/shard_python.py), and the real images of CONVOY_REAL_DATA packed, verified, read back.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "data/dataset.h"
#include "data/pack.h"
#include "data/verify.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

std::string python_with_h5py(const std::string& what) {
  const char* named = std::getenv("CONVOY_PYTHON");
  const std::string python = named != nullptr && *named != '\0' ? named : "python3";
  if (std::system(fmt::format("'{}' -c 'import h5py' 2>/dev/null", python).c_str()) == 0) return python;
  WARN("SKIPPED: " << what << ": " << python << " has no h5py (name another with CONVOY_PYTHON)");
  return "";
}

int read_back(const std::string& python, const fs::path& folder, const std::string& more = "") {
  const std::string script = CONVOY_SOURCE_DIR "/tests/data/shard_python.py";
  return std::system(fmt::format("'{}' '{}' '{}' {}", python, script, folder.string(), more).c_str());
}

TEST_CASE("shard: h5py reads what FORMAT.md says, in three lines") {
  const std::string python = python_with_h5py("shards read by h5py");
  if (python.empty()) return;
  const fixtures::TemporaryFolder folder;
  fixtures::write_folder_set(folder.path() / "set", 3, 10);
  PackOptions options;
  options.source = folder.path() / "set";
  options.out = folder.path() / "out";
  options.shards = 2;
  LocalCommunicator comm;
  pack(options, comm, Log());
  CHECK(read_back(python, options.out) == 0);
}

TEST_CASE("pack: both archives of tiny100, on two ranks, verified and read back") {
  const fs::path data = fixtures::real_data("both archives of tiny100 packed");
  if (data.empty()) return;
  const fixtures::TemporaryFolder folder;
  PackOptions train;
  train.source = data / "tiny100" / "tiny100_img_train.tar";
  train.classes = data / "tiny100" / "classes.tsv";
  train.out = folder.path() / "train";
  train.threads = 1;
  PackOptions held_out = train;
  held_out.source = data / "tiny100" / "tiny100_img_val.tar";
  held_out.labels = data / "tiny100" / "tiny100_val_labels.tsv";
  held_out.classes = train.out;
  held_out.out = folder.path() / "held_out";
  const std::string python = python_with_h5py("tiny100 read back by h5py");
  struct Case {
    PackOptions options;
    int64_t images, per_class;
  };
  for (const Case& set : {Case{train, 24000, 240}, Case{held_out, 5000, 50}}) {
    const PackOptions& options = set.options;
    PackReport report;
    fixtures::run_ranks(2, [&](Communicator& comm) {
      const PackReport mine = pack(options, comm, Log());
      if (comm.rank() == 0) report = mine;
    });
    CHECK(report.images == set.images);
    CHECK(report.shards == 8);
    CHECK(report.quarantined.empty());
    CHECK(report.histogram == std::vector<int64_t>(100, set.per_class));
    std::cout << options.source.filename().string() << ": " << set.images
              << " images packed by 2 ranks of 1 thread, "
              << static_cast<int>(static_cast<double>(set.images) / report.seconds) << " images/s\n";
    const VerifyReport verified = verify(options.out, 2, Log());
    CHECK(verified.good());
    CHECK(verified.records == set.images);
    if (!python.empty())
      CHECK(read_back(python, options.out, fmt::format("'{}' 100", options.source.string())) == 0);
  }
  LocalCommunicator comm;
  CHECK_NOTHROW(check_pair(Dataset::open(train.out, comm), Dataset::open(held_out.out, comm)));
}

}  // namespace
}  // namespace convoy

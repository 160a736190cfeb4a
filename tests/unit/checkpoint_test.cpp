#include "train/checkpoint.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "../support/temporary_folder.h"
#include "base/file.h"
#include "train/checkpoints.h"
#include "train/fingerprint.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

Graph small_graph(int channels = 3, const char* last = "fc") {
  GraphBuilder builder("small", {2, 4, 4});
  int x = builder.conv("conv1", 0, {.outputs = channels, .kernel = {3, 3}, .stride = {1, 1}},
                       {Init::Kind::normal, 0.1f});
  x = builder.batchnorm("bn1", x, {});
  x = builder.linear(last, x, {.outputs = 5}, {Init::Kind::normal, 0.1f});
  builder.softmax_loss("loss", x, 0.0f);
  return builder.finish();
}

using Folder = testing::TemporaryFolder;

struct Fixture {
  Folder folder;
  Graph graph = small_graph();
  Arena arena = make(graph);
  LocalCommunicator comm;
  static Arena make(const Graph& graph) { return {graph, lower(graph, 2).layout, 2}; }
  void fill(uint64_t seed) {
    arena.initialize(seed);
    for (int state = 0; state < arena.states(); ++state)  // the velocity, and RMSprop warm-up's second moment
      for (size_t i = 0; i < arena.state(state).size(); ++i)
        arena.state(state)[i] = static_cast<float>(i) * (state == 0 ? 0.5f : 0.25f);
  }
  Snapshot snapshot(int64_t step) const {
    return {step, 7, "hash-a", "optimizer.momentum = 0.9\ntrain.seed = 7\n"};
  }
  CheckpointPolicy policy(bool resume = true) const {
    return {.directory = folder.path(), .keep = 2, .resume = resume};
  }
};

void flip_byte(const fs::path& path, uint64_t at) {
  File file(path, File::Mode::update);
  uint8_t byte = 0;
  file.read_at(at, &byte, 1);
  byte ^= 0x40;
  file.write_at(at, &byte, 1);
}

}  // namespace

TEST_CASE("a checkpoint gives back every weight, state and statistic") {
  Fixture f;
  f.fill(1);
  f.arena.stat(0)[1] = 0.25f;
  const std::string weights = f.arena.digest(), states = f.arena.digest_states();
  const fs::path path = f.folder.path() / "a.h5";
  Snapshot now = f.snapshot(12);
  now.fingerprint = "threads = 1\n";
  now.claim = "repeatable";
  write_checkpoint(path, f.graph, f.arena, now);
  CHECK_FALSE(fs::exists(path.string() + ".tmp"));
  Arena other = Fixture::make(f.graph);
  const uint64_t version = other.version();
  const Snapshot found = read_checkpoint(path, f.graph, other);
  CHECK(found.step == 12);
  CHECK(found.seed == 7);
  CHECK(found.arithmetic == f.snapshot(0).arithmetic);
  CHECK(found.fingerprint == "threads = 1\n");
  CHECK(found.claim == "repeatable");
  CHECK(other.digest() == weights);
  CHECK(other.digest_states() == states);
  CHECK(other.version() > version);
}

TEST_CASE("a checkpoint of another network is refused, naming what differs") {
  Fixture f;
  f.fill(1);
  const fs::path path = f.folder.path() / "a.h5";
  write_checkpoint(path, f.graph, f.arena, f.snapshot(1));
  const Graph wider = small_graph(4), renamed = small_graph(3, "classifier");
  Arena a = Fixture::make(wider), b = Fixture::make(renamed);
  CHECK_THROWS_WITH(read_checkpoint(path, wider, a),
                    Catch::Contains("conv1.weight is 3x2x3x3 there and 4x2x3x3 here"));
  CHECK_THROWS_WITH(read_checkpoint(path, renamed, b), Catch::Contains("classifier.weight is missing there"));
}

TEST_CASE("the fingerprint of ranks that differ names all; what a resume finds decides its claim") {
  std::vector<RankReport> ranks(2);
  ranks[0].device = ranks[1].device = {"onednn", "oneDNN 3.2.0", "avx2", "a CPU", 4};
  const std::string same = fingerprint_of(ranks, Road::tree);
  CHECK(same == "backend = onednn\nlibrary = oneDNN 3.2.0\nisa = avx2\nthreads = 4\nroad = tree\n");
  ranks[1].device.isa = "avx512_core";
  const std::string mixed = fingerprint_of(ranks, Road::library);
  CHECK(fingerprint_value(mixed, "isa") == "avx2 + avx512_core");
  CHECK(fingerprint_value(mixed, "isax").empty());
  CHECK(fingerprint_differences(same, mixed) ==
        std::vector<std::string>{"isa: avx2 | avx2 + avx512_core", "road: tree | library"});
  CHECK(fingerprint_differences(same, same).empty());
  Snapshot now;
  now.fingerprint = same;
  now.claim = "bitwise";
  Snapshot found = now;
  CHECK(claim_after(found, now, Log()) == "bitwise");
  found.claim = "repeatable";  // a launch before has mixed fingerprints
  CHECK(claim_after(found, now, Log()) == "repeatable");
  found = now;
  found.fingerprint = mixed;
  CHECK(claim_after(found, now, Log()) == "repeatable");
  CHECK(claim_after({}, now, Log()) == "repeatable");  // of a checkpoint that does not say
}

TEST_CASE("another experiment is refused, naming the keys that differ") {
  Fixture f;
  Snapshot other = f.snapshot(0);
  other.hash = "hash-b";
  other.arithmetic = "optimizer.momentum = 0.8\ntrain.seed = 7\n";
  CHECK_THROWS_WITH(require_same_experiment("x.h5", f.snapshot(0), other),
                    Catch::Contains("optimizer.momentum = 0.9 there; optimizer.momentum = 0.8 here") &&
                        !Catch::Contains("train.seed"));
  CHECK_NOTHROW(require_same_experiment("x.h5", f.snapshot(3), f.snapshot(0)));
}

TEST_CASE("a changed byte in a tensor, a truncated file and another file are found") {
  Fixture f;
  f.fill(1);
  const fs::path path = f.folder.path() / "a.h5";
  write_checkpoint(path, f.graph, f.arena, f.snapshot(1));
  const std::string whole = read_text(path);
  const std::string needle(reinterpret_cast<const char*>(f.arena.param(0).data()), 32);
  const size_t at = whole.find(needle);
  REQUIRE(at != std::string::npos);
  flip_byte(path, at + 5);
  CHECK_THROWS_AS(read_checkpoint(path, f.graph, f.arena), BrokenCheckpoint);
  CHECK_THROWS_WITH(read_checkpoint(path, f.graph, f.arena),
                    Catch::Contains("weights/conv1.weight does not have its recorded checksum"));
  for (const size_t bytes : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(bytes));
    CHECK_THROWS_AS(read_checkpoint(path, f.graph, f.arena), BrokenCheckpoint);
  }
  CHECK_THROWS_WITH(read_checkpoint(f.folder.path() / "none.h5", f.graph, f.arena),
                    Catch::Contains("No such file"));
}

TEST_CASE("an attribute that HDF5 can only keep in a heap, without a checksum, is not read") {
  Fixture f;
  f.fill(1);
  const fs::path path = f.folder.path() / "a.h5";
  Snapshot now = f.snapshot(12);
  for (const size_t length : {size_t{30000}, size_t{70000}}) {  // an object's header holds 64 KiB
    now.arithmetic = std::string(length, 'x');
    write_checkpoint(path, f.graph, f.arena, now);
    if (length == 30000)
      CHECK(read_snapshot(path).arithmetic == now.arithmetic);
    else
      CHECK_THROWS_WITH(read_snapshot(path), Catch::Matchers::Contains("do not lie where convoy puts them"));
  }
}

TEST_CASE("the newest checkpoints are kept, and a broken one gives way to the one before") {
  Fixture f;
  Checkpoints disk(f.policy(), f.graph, f.comm, Log());
  for (const int64_t step : {4, 8, 12}) {
    f.fill(static_cast<uint64_t>(step));
    CHECK(disk.save(f.arena, f.snapshot(step)));
  }
  const auto all = list_checkpoints(f.folder.path());
  REQUIRE(all.size() == 2);
  CHECK(all[0].filename() == "checkpoint-00000012.h5");
  CHECK(all[1].filename() == "checkpoint-00000008.h5");
  f.fill(8);
  const std::string eight = f.arena.digest();
  f.fill(99);
  fs::resize_file(all[0], fs::file_size(all[0]) / 2);
  CHECK(disk.restore(f.arena, f.snapshot(0)) == 8);
  CHECK(f.arena.digest() == eight);
  CHECK(fs::exists(all[0].string() + ".broken"));
  CHECK(list_checkpoints(f.folder.path()).size() == 1);
}

TEST_CASE(
    "an older checkpoint that cannot be removed is no failed save; what a kill has torn goes on resume") {
  Fixture f;
  Checkpoints disk(f.policy(), f.graph, f.comm, Log());
  fs::create_directories(f.folder.path() / "checkpoint-00000001.h5" / "x");  // not to be removed
  for (const int64_t step : {2, 3}) CHECK(disk.save(f.arena, f.snapshot(step)));
  CHECK(disk.last_failure().empty());
  CHECK(list_checkpoints(f.folder.path()).size() == 3);
  std::ofstream(f.folder.path() / "checkpoint-00000004.h5.tmp") << "torn";
  std::ofstream(f.folder.path() / "notes.tmp") << "somebody's";
  CHECK(disk.restore(f.arena, f.snapshot(0)) == 3);
  CHECK_FALSE(fs::exists(f.folder.path() / "checkpoint-00000004.h5.tmp"));
  CHECK(fs::exists(f.folder.path() / "notes.tmp"));
}

TEST_CASE("without resume nothing is restored; without a whole checkpoint the run starts at 0") {
  Fixture f;
  f.fill(7);
  const std::string start = f.arena.digest();
  Checkpoints saving(f.policy(), f.graph, f.comm, Log());
  f.arena.param(0)[0] += 1;
  saving.save(f.arena, f.snapshot(4));
  Checkpoints fresh(f.policy(false), f.graph, f.comm, Log());
  CHECK(fresh.restore(f.arena, f.snapshot(0)) == 0);
  fs::resize_file(list_checkpoints(f.folder.path())[0], 1000);
  CHECK(saving.restore(f.arena, f.snapshot(0)) == 0);
  CHECK(f.arena.digest() == start);  // initialized anew from the snapshot's seed
}

TEST_CASE("a checkpoint written behind holds the arena as it was, whatever becomes of it meanwhile") {
  Fixture f;
  Checkpoints disk(f.policy(), f.graph, f.comm, Log());
  CHECK(disk.restore(f.arena, f.snapshot(0)) == 0);
  std::vector<std::string> digests{""};
  for (int64_t step = 1; step <= 12; ++step) {
    f.fill(static_cast<uint64_t>(step));
    digests.push_back(f.arena.digest());
    disk.save_behind(f.arena, f.snapshot(step));
    f.fill(99);  // the training goes on
  }
  disk.wait();
  const auto saved = disk.saved_behind();
  REQUIRE(saved);
  CHECK(saved->step == 12);
  CHECK_FALSE(disk.saved_behind());
  for (const int64_t step : {12, 11}) {
    CHECK(read_checkpoint(list_checkpoints(f.folder.path()).at(static_cast<size_t>(12 - step)), f.graph,
                          f.arena)
              .step == step);
    CHECK(f.arena.digest() == digests[static_cast<size_t>(step)]);
  }
  fs::create_directories(f.folder.path() / "checkpoint-00000013.h5.tmp" / "x");  // in its way
  disk.save_behind(f.arena, f.snapshot(13));
  disk.wait();
  CHECK(disk.last_failure().find("checkpoint-00000013.h5.tmp") != std::string::npos);
  CHECK_FALSE(disk.saved_behind());
  disk.save_behind(f.arena, f.snapshot(14));
  disk.wait();
  CHECK(disk.last_failure().empty());
  CHECK(disk.saved_behind()->step == 14);
}

TEST_CASE("other initial weights are asked for where nothing is restored, and only there") {
  Fixture f;
  f.fill(7);
  int asked = 0;
  const StartFn start = [&](Arena& arena) {
    ++asked;
    arena.param(0)[0] = 42;
  };
  Checkpoints disk(f.policy(), f.graph, f.comm, Log());
  CHECK(disk.restore(f.arena, f.snapshot(0), start) == 0);
  CHECK(asked == 1);
  disk.save(f.arena, f.snapshot(4));
  f.arena.param(0)[0] = 1;
  CHECK(disk.restore(f.arena, f.snapshot(0), start) == 4);
  CHECK(asked == 1);
  CHECK(f.arena.param(0)[0] == 42);
  fs::resize_file(list_checkpoints(f.folder.path())[0], 1000);
  f.arena.param(0)[0] = 1;
  CHECK(disk.restore(f.arena, f.snapshot(0), start) == 0);
  CHECK(asked == 2);
  CHECK(f.arena.param(0)[0] == 42);
}

TEST_CASE("a checkpoint that does not fit leaves the previous one whole and nothing half-written") {
  Fixture f;
  Checkpoints disk(f.policy(), f.graph, f.comm, Log());
  f.fill(1);
  REQUIRE(disk.save(f.arena, f.snapshot(1)));
  const std::string before = f.arena.digest();
  f.fill(2);
  rlimit old{}, small{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  small = {512, old.rlim_max};  // a limit on file sizes stands in for a full disk
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const bool saved = disk.save(f.arena, f.snapshot(2));
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK_FALSE(saved);
  CHECK(disk.last_failure().find("checkpoint-00000002.h5.tmp") != std::string::npos);
  CHECK(disk.last_code() == Exit::failed);  // EFBIG: no promise that it may succeed later
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(f.folder.path())) files += entry.is_regular_file();
  CHECK(files == 1);
  CHECK(disk.restore(f.arena, f.snapshot(0)) == 1);
  CHECK(f.arena.digest() == before);
}

}  // namespace convoy

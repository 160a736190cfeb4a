// Same bytes for any number of ranks and threads, after a kill and on top of half a dataset.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <thread>

#include "base/error.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "data/pack.h"
#include "data/shard.h"
#include "data/verify.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Bench;

TEST_CASE("pack: the same bytes for 1, 2, 3 and 8 ranks, 1 to 4 threads") {
  Bench bench;
  const PackReport alone = bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  REQUIRE(expected.size() == 6);
  for (const int ranks : {1, 2, 3, 8}) {
    bench.options.out = bench.folder.path() / fmt::format("ranks{}", ranks);
    bench.options.threads = ranks % 4 + 1;
    std::vector<PackReport> reports(static_cast<size_t>(ranks));
    fixtures::run_ranks(ranks, [&](Communicator& comm) {
      reports[static_cast<size_t>(comm.rank())] = convoy::pack(bench.options, comm, Log());
    });
    CHECK(fixtures::contents(bench.options.out) == expected);
    for (const auto& report : reports) {
      CHECK(report.fingerprint == alone.fingerprint);
      CHECK(report.histogram == alone.histogram);
      CHECK(report.images == 27);
    }
  }
}

TEST_CASE("pack: the seed and the shard count decide the order, and the order is a shuffle") {
  Bench bench(4, 16, 4);
  bench.pack();
  LocalCommunicator comm;
  const Dataset first = Dataset::open(bench.options.out, comm);
  int runs = 0;
  for (int64_t i = 1; i < first.samples(); ++i) runs += first.label(i) != first.label(i - 1);
  CHECK(runs > 20);  // 3 when sorted by class, 48 on average when shuffled
  bench.options.seed = 2;
  bench.options.out = bench.folder.path() / "other";
  bench.pack();
  const Dataset other = Dataset::open(bench.options.out, comm);
  CHECK(other.fingerprint() != first.fingerprint());
  int equal = 0;
  for (int64_t i = 0; i < first.samples(); ++i) equal += first.name(i) == other.name(i);
  CHECK(equal < 20);
}

TEST_CASE("pack: what an interrupted run left is kept where it is whole, and made again where not") {
  Bench bench;
  bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  const auto again = [&] {
    const PackReport report = bench.pack();
    CHECK(fixtures::contents(bench.options.out) == expected);
    return report.kept_shards;
  };
  CHECK(again() == 5);
  fs::remove(bench.options.out / manifest_name);
  fs::remove(bench.shard(1));
  fixtures::write_text(bench.shard(1).string() + ".tmp", "half a shard");
  fixtures::write_text(bench.options.out / "shard-00000-of-00007.h5.tmp", "of another try");
  fixtures::write_text(bench.options.out / "dataset.json.tmp.77", "half of it");
  CHECK(again() == 4);
  fs::resize_file(bench.shard(2), fs::file_size(bench.shard(2)) - 5000);  // cut by a crash of the machine
  fs::remove(bench.options.out / manifest_name);
  CHECK(again() == 4);
  {
    std::fstream file(bench.shard(3), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
  }
  fs::copy_file(bench.shard(0), bench.shard(4), fs::copy_options::overwrite_existing);
  CHECK(again() == 3);
  {
    std::fstream file(bench.options.out / manifest_name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(40);
    file.put('?');
  }
  CHECK(again() == 5);
}

TEST_CASE("pack: no changed byte of a finished shard comes to stay") {
  Bench bench(2, 3, 1);
  fixtures::write_text(bench.options.source / "n00000002" / "image01.JPEG", "rubbish");
  bench.options.quarantine = true;
  bench.options.threads = 1;
  bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  const auto original = fixtures::read_bytes(bench.shard(0));
  const Shard index = read_shard(bench.shard(0));
  std::vector<size_t>
      places;  // every byte of names and classes and their surroundings by turns, and a few images' bytes
  for (size_t at = 0; at < index.layout.images; at += 61) places.push_back(at);
  const std::string raw(reinterpret_cast<const char*>(original.data()), original.size());
  for (const char* text : {"n00000001", "rubbish", "neither a JPEG", "n00000002/image01.JPEG\tfile", "seed"})
    if (const size_t at = raw.find(text); at != std::string::npos) places.push_back(at);
  CHECK(raw.find("n00000002/image01.JPEG\tfile") != std::string::npos);
  places.push_back(index.layout.images + 300);
  places.push_back(original.size() - 1);
  for (const size_t at : places) {
    auto bytes = original;
    bytes[at] ^= std::byte{0x04};
    for (const bool manifest : {true, false}) {
      fixtures::write_bytes(bench.shard(0), bytes);
      if (!manifest) fs::remove(bench.options.out / manifest_name);
      try {
        if (bench.pack().kept_shards != 0) FAIL("byte " << at << " stayed changed");
      } catch (const Error& error) {  // not known as ours any more: left alone
        if (manifest || std::string(error.what()).find("of another pack") == std::string::npos) throw;
        fs::remove(bench.shard(0));
        bench.pack();
      }
      if (fixtures::contents(bench.options.out) != expected) FAIL("byte " << at << " gave another dataset");
    }
  }
  CHECK(bench.pack().kept_shards == 1);
}

TEST_CASE("pack: a source that changed at equal length is packed anew, and what is bad no more comes in") {
  Bench bench;
  bench.options.quarantine = true;
  const fs::path changing = bench.options.source / "n00000002" / "image04.JPEG";
  const auto whole = fixtures::read_bytes(changing);
  fixtures::write_bytes(changing, fixtures::Bytes(whole.size()));
  CHECK(bench.pack().quarantined.size() == 1);
  CHECK(bench.pack().kept_shards == 5);
  for (const bool repair : {true, false}) {
    auto bytes = whole;
    if (!repair) bytes[bytes.size() - 3] ^= std::byte{1};
    fixtures::write_bytes(changing, bytes);
    const PackReport again = bench.pack();
    CHECK(again.kept_shards == 4);
    CHECK(again.quarantined.empty());
    const auto found = fixtures::contents(bench.options.out);
    Bench other;
    fixtures::write_bytes(other.options.source / "n00000002" / "image04.JPEG", bytes);
    other.pack();
    CHECK(found == fixtures::contents(other.options.out));
  }
}

TEST_CASE("pack: a second pack of the same folder is refused while the first one runs") {
  Bench bench;
  bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  fs::remove(bench.options.out / manifest_name);
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // a process that holds the folder until it is killed
    const int lock = ::open((bench.options.out / ".convoy-pack.lock").c_str(), O_RDWR | O_CREAT, 0666);
    const char held = ::flock(lock, LOCK_EX) == 0 ? 'y' : 'n';
    if (::write(pipe_ends[1], &held, 1) == 1) ::pause();
    ::_exit(0);
  }
  char held = 'n';
  REQUIRE(::read(pipe_ends[0], &held, 1) == 1);
  REQUIRE(held == 'y');
  CHECK_THROWS_WITH(bench.pack(),
                    Catch::Contains("another `convoy pack`") && Catch::Contains(".convoy-pack.lock"));
  CHECK(!fs::exists(bench.options.out / manifest_name));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  CHECK(bench.pack().kept_shards == 5);
  CHECK(fixtures::contents(bench.options.out) == expected);
}

TEST_CASE("pack: killed at any moment and run again, the bytes are the same") {
  Bench bench(3, 60, 12);
  bench.options.threads = 1;
  bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  for (const int after : {0, 1, 3, 7, 11}) {  // shards there at the moment of the kill, at least
    fs::remove_all(bench.options.out);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        bench.pack();
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    int status = 0;
    while (!fs::exists(bench.shard(after)) && ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    const PackReport report = bench.pack();
    CHECK(report.kept_shards > after);
    CHECK(fixtures::contents(bench.options.out) == expected);
  }
}

}  // namespace
}  // namespace convoy

// Same bytes for any number of ranks and threads, after a kill and on top of half a dataset.
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

struct Bench {
  fixtures::TemporaryFolder folder;
  PackOptions options;
  explicit Bench(int classes = 3, int per_class = 9, int shards = 5) {
    options.source = folder.path() / "set";
    options.out = folder.path() / "out";
    options.shards = shards;
    fixtures::write_folder_set(options.source, classes, per_class);
  }
  PackReport pack() {
    LocalCommunicator comm;
    return convoy::pack(options, comm, Log());
  }
  fs::path shard(int i) const { return options.out / shard_name(i, options.shards); }
};

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

TEST_CASE("pack: a folder that holds anything else is not touched") {
  Bench bench;
  const auto error = [&]() -> std::string {
    try {
      bench.pack();
    } catch (const Error& failure) {
      return failure.what();
    }
    return "";
  };
  fixtures::write_text(bench.options.out / "thesis.tex", "years of work");
  CHECK(error().find("thesis.tex, which is no part of a dataset") != std::string::npos);
  CHECK(fixtures::contents(bench.options.out).size() == 1);
  fs::remove(bench.options.out / "thesis.tex");
  bench.pack();
  const auto before = fixtures::contents(bench.options.out);
  bench.options.seed = 7;
  CHECK(error().find("holds another dataset") != std::string::npos);
  CHECK(fixtures::contents(bench.options.out) == before);
  fs::remove(bench.options.out /
             manifest_name);  // unfinished, but another's: neither removed nor written over
  for (const int shards : {5, 4}) {
    bench.options.shards = shards;
    CHECK(error().find("of another pack") != std::string::npos);
    CHECK(fixtures::contents(bench.options.out).size() == 5);
  }
  for (const char* name : {"shard-000000.tar", "shard-00000-of-00008.h5.bak", "shard-00001-of-00005.h5x"}) {
    bench.options.out = bench.folder.path() / name;
    fixtures::write_text(bench.options.out / name, "years of work");
    CHECK(error().find(std::string(name) + ", which is no part of a dataset") != std::string::npos);
    CHECK(fixtures::contents(bench.options.out).size() == 1);
  }
  for (const char* name : {"shard-00001-of-00005.h5", "dataset.json"}) {
    bench.options.out = bench.folder.path() / name;
    fixtures::write_text(bench.options.out / name, "years of work");
    CHECK(error().find(std::string("holds ") + name + " of another pack") != std::string::npos);
    CHECK(fixtures::contents(bench.options.out).size() == 1);
  }
  bench.options.out = bench.folder.path() / "set" / "n00000001" / "image00.JPEG";
  CHECK(error().find("image00.JPEG") != std::string::npos);
  bench.options.out = bench.folder.path() / "new";
  bench.options.shards = 28;
  CHECK(error().find("1 to 27") != std::string::npos);
  CHECK(!fs::exists(bench.options.out));
}

TEST_CASE("pack: a bad image fails the pack, whose finished shards stay, or is quarantined by name") {
  Bench bench;
  const fs::path broken = bench.options.source / "n00000002" / "image04.JPEG";
  fixtures::write_text(broken, "<html>404 Not Found</html>");
  fixtures::write_text(bench.options.source / "n00000003" / "image00.JPEG", "");
  for (const int ranks : {1, 3}) {
    std::string message;
    try {
      fixtures::run_ranks(ranks, [&](Communicator& comm) { pack(bench.options, comm, Log()); });
    } catch (const Error& error) {
      message = error.what();
      CHECK(error.code() == Exit::failed);
    }
    INFO(message);
    CHECK(message.find("2 of 27 images cannot be decoded") != std::string::npos);
    CHECK(message.find("n00000002/image04.JPEG") != std::string::npos);
    CHECK(message.find("n00000003/image00.JPEG") != std::string::npos);
    CHECK(message.find("quarantine") != std::string::npos);
    CHECK(!fs::exists(bench.options.out / manifest_name));
    for (const auto& entry : fs::directory_iterator(bench.options.out))
      CHECK(entry.path().extension() == ".h5");
  }
  const auto finished = static_cast<int64_t>(fixtures::contents(bench.options.out).size());
  CHECK((finished == 3 || finished == 4));
  bench.options.quarantine = true;
  const PackReport report = bench.pack();
  CHECK(report.kept_shards == finished);
  CHECK(report.images == 25);
  REQUIRE(report.quarantined.size() == 2);
  CHECK(report.quarantined[0].name == "n00000002/image04.JPEG");
  CHECK(!report.quarantined[0].reason.empty());
  CHECK(fixtures::read_file(bench.options.out / quarantine_name).find("n00000003/image00.JPEG\tfile\t") !=
        std::string::npos);
  const auto expected = fixtures::contents(bench.options.out);
  CHECK(verify(bench.options.out, 2, Log()).good());
  LocalCommunicator comm;
  CHECK(Dataset::open(bench.options.out, comm).samples() == 25);

  fs::remove(bench.options.out / manifest_name);
  fs::remove(bench.options.out / quarantine_name);
  CHECK(bench.pack().kept_shards == 5);  // the list of the bad comes from the shards
  CHECK(fixtures::contents(bench.options.out) == expected);
  bench.options.quarantine = false;  // a whole dataset is not destroyed by a stricter second run
  CHECK_THROWS_AS(bench.pack(), Error);
  CHECK(fixtures::contents(bench.options.out) == expected);
  bench.options.quarantine = true;
  for (const int ranks : {2, 3}) {
    bench.options.out = bench.folder.path() / fmt::format("ranks{}", ranks);
    fixtures::run_ranks(ranks, [&](Communicator& rank) { pack(bench.options, rank, Log()); });
    CHECK(fixtures::contents(bench.options.out) == expected);
  }
}

TEST_CASE("pack: a shard may lose all of its images to quarantine") {
  Bench bench(2, 2, 4);
  for (const char* name : {"n00000001/image00.JPEG", "n00000001/image01.JPEG", "n00000002/image00.JPEG"})
    fixtures::write_text(bench.options.source / name, "rubbish");
  bench.options.quarantine = true;
  CHECK(bench.pack().images == 1);
  CHECK(verify(bench.options.out, 1, Log()).good());
  LocalCommunicator comm;
  const Dataset set = Dataset::open(bench.options.out, comm);
  REQUIRE(set.samples() == 1);
  CHECK(set.name(0) == "n00000002/image01.JPEG");
  std::vector<std::byte> encoded;
  set.read(0, encoded);
  CHECK(encoded == fixtures::numbered_jpeg(201));
}

TEST_CASE("pack: damage that still decodes is counted, not refused") {
  Bench bench;
  auto bytes = fixtures::numbered_jpeg(5, 200, 200);
  bytes.resize(bytes.size() / 2);
  fixtures::write_bytes(bench.options.source / "n00000001" / "image00.JPEG", bytes);
  const PackReport report = bench.pack();
  CHECK(report.images == 27);
  CHECK(report.images_with_warnings == 1);
  CHECK(report.warnings >= 1);
}

TEST_CASE("pack: storage that refuses ends in the system's words, and nothing half-written stays") {
  Bench bench;
  bench.pack();
  const auto expected = fixtures::contents(bench.options.out);
  const fs::path words = bench.folder.path() / "words";
  for (const rlim_t most :
       {1000, 6000, 9000, 11000}) {  // bytes a file may have: a disk that is full at that point
    fs::remove_all(bench.options.out);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{most, most};
      int code = 0;
      try {
        if (::setrlimit(RLIMIT_FSIZE, &limit) == 0) bench.pack();
      } catch (const Error& error) {
        code = 1;
        fixtures::write_text(words, error.what());
      }
      ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    INFO(most << " bytes: " << fixtures::read_file(words));
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 1);
    CHECK(fixtures::read_file(words).find("File too large") != std::string::npos);
    CHECK(fixtures::read_file(words).find("shard-0000") != std::string::npos);
    for (const auto& entry : fs::directory_iterator(bench.options.out))
      CHECK(entry.path().extension() != ".tmp");
    CHECK(!fs::exists(bench.options.out / manifest_name));
    bench.pack();
    CHECK(fixtures::contents(bench.options.out) == expected);
  }
}

// Root may write anywhere by its capabilities: as long as this lives, this thread and those that it starts have none.
struct Unprivileged {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before[2]{}, none[2]{};
  Unprivileged() {
    REQUIRE(::syscall(SYS_capget, &header, before) == 0);
    for (int i = 0; i < 2; ++i) none[i].permitted = before[i].permitted;  // to come back
    REQUIRE(::syscall(SYS_capset, &header, none) == 0);
  }
  ~Unprivileged() { CHECK(::syscall(SYS_capset, &header, before) == 0); }
};

TEST_CASE("pack: a folder without permission is named") {
  Bench bench;
  fs::create_directories(bench.options.out);
  fs::permissions(bench.options.out, fs::perms::owner_read | fs::perms::owner_exec);
  {
    const Unprivileged now;
    CHECK_THROWS_WITH(bench.pack(),
                      Catch::Contains(bench.options.out.string()) && Catch::Contains("ermission"));
  }
  fs::permissions(bench.options.out, fs::perms::owner_all);
  CHECK(fs::is_empty(bench.options.out));
}

}  // namespace
}  // namespace convoy

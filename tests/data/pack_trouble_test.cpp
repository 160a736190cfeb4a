// What pack refuses, leaves out or ends with: foreign folders, bad images, storage that refuses.
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "data/verify.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Bench;

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

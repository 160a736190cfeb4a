// convoy pack --restart-markers: the same pixels in the same order, counted, verified, kept by a second run, and the same
// bytes whatever ranks and threads there are.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "data/dataset.h"
#include "data/jpeg_restarts.h"
#include "data/pack.h"
#include "data/verify.h"
#include "pack_fixtures.h"
#include "port/communicator.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Bytes;

struct Bench {
  fixtures::TemporaryFolder folder;
  LocalCommunicator comm;
  Bench() {
    fixtures::write_folder_set(path("set"), 3, 9);
    const Image source = fixtures::pattern(40, 30);
    fixtures::write_bytes(path("set/n00000001/a_png.JPEG"), fixtures::png(40, 30, source.rgb));
    Bytes cut = fixtures::numbered_jpeg(500, 64, 64);
    cut.resize(cut.size() - 40);
    fixtures::write_bytes(path("set/n00000002/cut.JPEG"), cut);
    fixtures::write_bytes(path("set/n00000002/progressive.JPEG"),
                          fixtures::jpeg(40, 30, 3, source.rgb, {.progressive = true}));
  }
  fs::path path(const std::string& name) const { return folder.path() / name; }
  PackOptions options(const std::string& out, bool markers = true) const {
    PackOptions o;
    o.source = path("set");
    o.out = path(out);
    o.shards = 3;
    o.threads = 2;
    o.restart_markers = markers;
    return o;
  }
};

}  // namespace

TEST_CASE("pack: restart markers change bytes, and neither pixels nor order") {
  Bench bench;
  const PackReport plain = pack(bench.options("plain", false), bench.comm, Log());
  const PackReport marked = pack(bench.options("marked"), bench.comm, Log());
  CHECK(plain.rewritten == 0);
  CHECK(marked.images == 30);
  CHECK(marked.rewritten == 28);  // not the PNG and not the damaged one
  CHECK(marked.images_with_warnings == 1);
  CHECK(marked.fingerprint != plain.fingerprint);
  const Dataset a = Dataset::open(bench.path("plain"), bench.comm),
                b = Dataset::open(bench.path("marked"), bench.comm);
  CHECK(a.manifest().rewritten == -1);
  CHECK(b.manifest().rewritten == 28);
  CHECK(b.manifest().image_bytes == marked.image_bytes);
  int markers = 0;
  for (int64_t i = 0; i < 30; ++i) {
    Bytes old_bytes, new_bytes;
    a.read(i, old_bytes);
    b.read(i, new_bytes);
    CHECK(a.name(i) == b.name(i));
    CHECK(a.label(i) == b.label(i));
    CHECK(decode(old_bytes).rgb == decode(new_bytes).rgb);
    const bool has = read_restart_frame(new_bytes).has_value();
    CHECK(has == (old_bytes != new_bytes));
    markers += has;
  }
  CHECK(markers == 28);
  CHECK(verify(bench.path("marked"), 2, Log()).good());
}

TEST_CASE("pack: shards with restart markers are kept, and never mixed with others") {
  Bench bench;
  const PackReport first = pack(bench.options("marked"), bench.comm, Log());
  const auto before = fixtures::contents(bench.path("marked"));
  fs::remove(bench.path("marked/shard-00001-of-00003.h5"));
  const PackReport second = pack(bench.options("marked"), bench.comm, Log());
  CHECK(second.kept_shards == 2);
  CHECK(second.rewritten == first.rewritten);
  CHECK(fixtures::contents(bench.path("marked")) == before);
  CHECK_THROWS_WITH(pack(bench.options("marked", false), bench.comm, Log()),
                    Catch::Contains("or restart markers"));
  CHECK(fixtures::contents(bench.path("marked")) == before);
  for (const int ranks : {1, 3}) {
    const std::string out = fmt::format("ranks{}", ranks);
    fixtures::run_ranks(ranks, [&](Communicator& comm) {
      PackOptions options = bench.options(out);
      options.threads = 4 - ranks;
      CHECK(pack(options, comm, Log()).rewritten == 28);
    });
    CHECK(fixtures::contents(bench.path(out)) == before);
  }
}

TEST_CASE("pack: bad images are left out of a set with restart markers, too") {
  Bench bench;
  fixtures::write_text(bench.path("set/n00000003/bad.JPEG"), "<html>");
  PackOptions options = bench.options("marked");
  CHECK_THROWS_WITH(pack(options, bench.comm, Log()), Catch::Contains("1 of 31 images cannot be decoded"));
  options.quarantine = true;
  const PackReport report = pack(options, bench.comm, Log());
  CHECK(report.rewritten == 28);
  CHECK(report.quarantined.size() == 1);
  CHECK(verify(bench.path("marked"), 1, Log()).good());
  const auto before = fixtures::contents(bench.path("marked"));
  fs::remove(bench.path("marked/dataset.json"));
  const PackReport again = pack(options, bench.comm, Log());
  CHECK(again.kept_shards == 3);
  CHECK(again.rewritten == 28);
  CHECK(fixtures::contents(bench.path("marked")) == before);
}

}  // namespace convoy

// convoy pack --restart-markers and --coefficients: the same pixels in the same order, counted, verified, kept by a second
// run, and the same bytes whatever ranks and threads there are.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "data/coefficient_record.h"
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
  PackOptions options(const std::string& out, Jpegs jpegs) const {
    PackOptions o;
    o.source = path("set");
    o.out = path(out);
    o.shards = 3;
    o.threads = 2;
    o.jpegs = jpegs;
    return o;
  }
};

bool is_anew(const Bytes& bytes, Jpegs jpegs) {
  return jpegs == Jpegs::coefficients ? is_coefficient_record(bytes) : read_restart_frame(bytes).has_value();
}

Jpegs either_way() {
  const auto jpegs = GENERATE(Jpegs::restart_markers, Jpegs::coefficients);
  UNSCOPED_INFO((jpegs == Jpegs::coefficients ? "coefficients" : "restart markers"));
  return jpegs;
}

}  // namespace

TEST_CASE("pack: JPEGs written anew change bytes, and neither pixels nor order") {
  const Jpegs jpegs = either_way();
  Bench bench;
  const PackReport plain = pack(bench.options("plain", Jpegs::kept), bench.comm, Log());
  const PackReport anew_report = pack(bench.options("anew", jpegs), bench.comm, Log());
  CHECK(plain.rewritten == 0);
  CHECK(anew_report.images == 30);
  CHECK(anew_report.rewritten == 28);  // not the PNG and not the damaged one
  CHECK(anew_report.images_with_warnings == 1);
  CHECK(anew_report.fingerprint != plain.fingerprint);
  const Dataset a = Dataset::open(bench.path("plain"), bench.comm),
                b = Dataset::open(bench.path("anew"), bench.comm);
  CHECK(a.manifest().rewritten == -1);
  CHECK(b.manifest().rewritten == 28);
  CHECK(a.manifest().jpegs.empty());
  CHECK(b.manifest().jpegs == name_of(jpegs));
  CHECK(b.manifest().image_bytes == anew_report.image_bytes);
  int anew = 0;
  for (int64_t i = 0; i < 30; ++i) {
    Bytes old_bytes, new_bytes;
    a.read(i, old_bytes);
    b.read(i, new_bytes);
    CHECK(a.name(i) == b.name(i));
    CHECK(a.label(i) == b.label(i));
    CHECK(decode(old_bytes).rgb == decode(new_bytes).rgb);
    const bool is = is_anew(new_bytes, jpegs);
    CHECK(is == (old_bytes != new_bytes));
    anew += is;
  }
  CHECK(anew == 28);
  CHECK(verify(bench.path("anew"), 2, Log()).good());
}

TEST_CASE("pack: shards written anew are kept, and never mixed with others") {
  const Jpegs jpegs = either_way();
  Bench bench;
  const PackReport first = pack(bench.options("anew", jpegs), bench.comm, Log());
  const auto before = fixtures::contents(bench.path("anew"));
  fs::remove(bench.path("anew/shard-00001-of-00003.h5"));
  const PackReport second = pack(bench.options("anew", jpegs), bench.comm, Log());
  CHECK(second.kept_shards == 2);
  CHECK(second.rewritten == first.rewritten);
  CHECK(fixtures::contents(bench.path("anew")) == before);
  for (const Jpegs other : {Jpegs::kept, Jpegs::restart_markers, Jpegs::coefficients})
    if (other != jpegs)
      CHECK_THROWS_WITH(pack(bench.options("anew", other), bench.comm, Log()),
                        Catch::Contains("restart markers or coefficients"));
  CHECK(fixtures::contents(bench.path("anew")) == before);
  for (const int ranks : {1, 3}) {
    const std::string out = fmt::format("ranks{}", ranks);
    fixtures::run_ranks(ranks, [&](Communicator& comm) {
      PackOptions options = bench.options(out, jpegs);
      options.threads = 4 - ranks;
      CHECK(pack(options, comm, Log()).rewritten == 28);
    });
    CHECK(fixtures::contents(bench.path(out)) == before);
  }
}

TEST_CASE("pack: bad images are left out of a set written anew, too") {
  const Jpegs jpegs = either_way();
  Bench bench;
  fixtures::write_text(bench.path("set/n00000003/bad.JPEG"), "<html>");
  PackOptions options = bench.options("anew", jpegs);
  CHECK_THROWS_WITH(pack(options, bench.comm, Log()), Catch::Contains("1 of 31 images cannot be decoded"));
  options.quarantine = true;
  const PackReport report = pack(options, bench.comm, Log());
  CHECK(report.rewritten == 28);
  CHECK(report.quarantined.size() == 1);
  CHECK(verify(bench.path("anew"), 1, Log()).good());
  const auto before = fixtures::contents(bench.path("anew"));
  fs::remove(bench.path("anew/dataset.json"));
  const PackReport again = pack(options, bench.comm, Log());
  CHECK(again.kept_shards == 3);
  CHECK(again.rewritten == 28);
  CHECK(fixtures::contents(bench.path("anew")) == before);
}

TEST_CASE("pack: records of coefficients are no source") {
  Bench bench;
  pack(bench.options("anew", Jpegs::coefficients), bench.comm, Log());
  const Dataset set = Dataset::open(bench.path("anew"), bench.comm);
  Bytes record;
  for (int64_t i = 0; i < set.samples() && !is_coefficient_record(record); ++i) set.read(i, record);
  fixtures::write_bytes(bench.path("set/n00000003/record.JPEG"), record);
  CHECK_THROWS_WITH(pack(bench.options("again", Jpegs::kept), bench.comm, Log()),
                    Catch::Contains("pack the JPEG that it came from"));
}

}  // namespace convoy

// The devkit's numbering: a meta.mat is written here whose ids are in another order than the sorted wnids.
#include <zlib.h>
#include <catch2/catch.hpp>

#include <memory>

#include "base/error.h"
#include "data/dataset.h"
#include "data/devkit.h"
#include "data/pack.h"
#include "meta_mat.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Synset;
using fixtures::write_meta;

const std::vector<Synset> kit = {{1, "n00000030", "kit fox", 0},
                                 {2, "n00000010", "crane", 0},
                                 {3, "n00000020", "maillot", 0},
                                 {4, "n00000001", "animal", 3},
                                 {5, "n00000005", "a parent", 2}};
const std::string truth = "3\n1\n2\n1\n";  // of val_1 .. val_4

struct Kit {
  fixtures::TemporaryFolder folder;
  fs::path unpacked = folder.path() / "ILSVRC2012_devkit_t12";
  fs::path archive = folder.path() / "ILSVRC2012_devkit_t12.tar.gz";
  fs::path truth_path = unpacked / "data" / "ILSVRC2012_validation_ground_truth.txt";
  Kit() {
    write_meta(unpacked / "data" / "meta.mat", kit);
    fixtures::write_text(truth_path, truth);
    fixtures::Tar tar(fixtures::Tar::Dialect::gnu);
    for (const fs::path& file : {unpacked / "data" / "meta.mat", truth_path})
      tar.add("ILSVRC2012_devkit_t12/data/" + file.filename().string(), fixtures::read_bytes(file));
    const auto bytes = tar.finish();
    gzFile out = gzopen(archive.c_str(), "wb");
    REQUIRE(gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())) ==
            static_cast<int>(bytes.size()));
    gzclose(out);
    for (int i = 1; i <= 4; ++i)
      fixtures::write_bytes(folder.path() / "val" / fmt::format("val_{}.JPEG", i),
                            fixtures::numbered_jpeg(i));
  }
};

TEST_CASE("devkit: leaf synsets only, classes in the order of their wnids") {
  const Kit files;
  for (const fs::path& path : {files.unpacked, files.unpacked / "data" / "meta.mat", files.archive}) {
    const Devkit devkit = read_devkit(path);
    CHECK(devkit.classes.wnids == std::vector<std::string>{"n00000010", "n00000020", "n00000030"});
    CHECK(devkit.classes.names == std::vector<std::string>{"crane", "maillot", "kit fox"});
    CHECK(devkit.wnid_of_id.at(1) == "n00000030");
    CHECK(devkit.wnid_of_id.size() == 3);
    CHECK(devkit.ground_truth == (path.extension() == ".mat" ? "" : truth));
  }
}

TEST_CASE("devkit: the ground truth's ids become sorted-wnid indices, not themselves") {
  const Kit files;
  const auto labels_of = [&](const fs::path& labels, const fs::path& meta) {
    PackOptions options;
    options.source = files.folder.path() / "val";
    options.labels = labels;
    options.devkit_meta = meta;
    options.out = files.folder.path() / "out";
    LocalCommunicator comm;
    pack(options, comm, Log());
    const Dataset set = Dataset::open(options.out, comm);
    std::vector<int> result(4);
    for (int64_t i = 0; i < 4; ++i) result[std::stoul(set.name(i).substr(4)) - 1] = set.label(i);
    fs::remove_all(options.out);
    return result;
  };
  const std::vector<int> expected = {1, 2, 0, 2};  // ids 3 1 2 1: n..20, n..30, n..10, n..30
  CHECK(labels_of(files.truth_path, files.unpacked / "data" / "meta.mat") == expected);
  CHECK(labels_of(files.truth_path, files.archive) == expected);
  CHECK(labels_of(files.truth_path, "") == expected);  // meta.mat lies beside it
  CHECK(labels_of(files.unpacked, "") == expected);
  CHECK(labels_of(files.archive, "") == expected);
}

TEST_CASE("devkit: damage and mistakes are named") {
  const Kit files;
  const auto error_of = [](const fs::path& path) -> std::string {
    try {
      read_devkit(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const fs::path bad = files.folder.path() / "bad.mat";
  fixtures::write_text(bad, "no matlab");
  CHECK(error_of(bad).find("is no MATLAB file") != std::string::npos);
  CHECK(error_of(files.folder.path() / "none.mat").find("cannot open") != std::string::npos);
  CHECK(error_of(files.folder.path()).find("meta.mat") != std::string::npos);
  auto twice = kit;
  twice[1].id = 1;
  write_meta(bad, twice);
  CHECK(error_of(bad).find("there twice") != std::string::npos);
  fixtures::write_text(files.folder.path() / "kit.tar.gz", std::string("\x1f\x8b\x08 rubbish", 11));
  CHECK(!error_of(files.folder.path() / "kit.tar.gz").empty());
}

}  // namespace
}  // namespace convoy

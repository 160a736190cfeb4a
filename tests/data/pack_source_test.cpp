// The forms in which people have images, and what is refused: all of them give the same dataset.
#include <catch2/catch.hpp>

#include "base/error.h"
#include "data/dataset.h"
#include "data/pack.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Bytes;
using fixtures::numbered_jpeg;
using fixtures::Tar;
using fixtures::write_bytes;
using fixtures::write_text;

struct Bench {
  fixtures::TemporaryFolder folder;
  LocalCommunicator comm;
  fs::path path(const std::string& name) const { return folder.path() / name; }

  PackReport pack(const std::string& source, const std::string& out, PackOptions options = {}) {
    options.source = path(source);
    options.out = path(out);
    options.threads = 2;
    return convoy::pack(options, comm, Log());
  }
  std::string error(const std::string& source, PackOptions options = {}) {
    try {
      pack(source, "refused", options);
    } catch (const Error& error) {
      CHECK(error.code() == Exit::failed);
      CHECK(!fs::exists(path("refused")));
      return error.what();
    }
    return "";
  }
  Dataset open(const std::string& out) { return Dataset::open(path(out), comm); }
};

bool contains(const std::string& text, const std::string& part) {
  INFO(text << " | " << part);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

Bytes class_tar(int c, int images, const std::string& prefix = "") {
  Tar tar(Tar::Dialect::gnu);
  for (int i = 0; i < images; ++i)
    tar.add(prefix + fmt::format("image{:02}.JPEG", i), numbered_jpeg(100 * c + i));
  return tar.finish();
}

TEST_CASE("pack: folder, tar of tars, folder of tars and tar of folders give the same shards") {
  Bench bench;
  fixtures::write_folder_set(bench.path("set"), 3, 5);
  write_text(bench.path("set/.DS_Store"), "x");
  write_text(bench.path("set/n00000001/._image00.JPEG"), "x");
  write_text(bench.path("set/n00000001/notes.txt"), "x");
  fs::create_directories(bench.path("set/n00000002/deeper"));
  Tar outer, folders(Tar::Dialect::pax);
  folders.add("set/", {}, '5').add("set/n00000001/._image00.JPEG", Bytes(3));
  for (int c = 1; c <= 3; ++c) {
    const std::string wnid = fmt::format("n{:08}", c);
    outer.add(wnid + ".tar", class_tar(c, 5, c == 2 ? "./" : ""));
    write_bytes(bench.path("tars") / (wnid + ".tar"), class_tar(c, 5));
    for (int i = 0; i < 5; ++i)
      folders.add("set/" + wnid + fmt::format("/image{:02}.JPEG", i), numbered_jpeg(100 * c + i));
  }
  outer.add("README", Bytes(5));
  write_bytes(bench.path("outer.tar"), outer.finish());
  write_bytes(bench.path("folders.tar"), folders.finish());

  const PackReport first = bench.pack("set", "a");
  CHECK(first.images == 15);
  CHECK(first.classes == 3);
  CHECK(first.skipped == 4);
  CHECK(first.histogram == std::vector<int64_t>{5, 5, 5});
  const std::string shard = "shard-00000-of-00001.h5";
  for (const char* source : {"outer.tar", "tars", "folders.tar"}) {
    INFO(source);
    const PackReport report = bench.pack(source, std::string(source) + ".out");
    CHECK(report.fingerprint == first.fingerprint);
    CHECK(report.skipped == (source == std::string("outer.tar") ? 1 : source == std::string("tars") ? 0 : 2));
    CHECK(fixtures::read_file(bench.path("a") / shard) ==
          fixtures::read_file(bench.path(std::string(source) + ".out") / shard));
  }
  const Dataset set = bench.open("a");
  std::vector<std::byte> encoded;
  for (int64_t i = 0; i < set.samples(); ++i) {
    const std::string name = set.name(i);
    const int c = std::stoi(name.substr(1, 8)), n = std::stoi(name.substr(15, 2));
    CHECK(set.label(i) == c - 1);
    set.read(i, encoded);
    CHECK(encoded == numbered_jpeg(100 * c + n));
  }
}

TEST_CASE("pack: a hard link in a tar is an image of its own, and equal bytes are reported") {
  Bench bench;
  write_bytes(bench.path("a.tar"), Tar()
                                       .add("n1/x.JPEG", numbered_jpeg(1))
                                       .add("n2/y.JPEG", {}, '1', "n1/x.JPEG")
                                       .add("n2/z.JPEG", numbered_jpeg(2))
                                       .add("n2/w.JPEG", {}, '2', "z.JPEG")
                                       .finish());
  const PackReport report = bench.pack("a.tar", "out");
  CHECK(report.images == 3);
  CHECK(report.skipped == 1);
  CHECK(report.duplicates == 1);
  REQUIRE(report.duplicate_examples.size() == 1);
  CHECK(contains(report.duplicate_examples[0], "n1/x.JPEG"));
  CHECK(contains(report.duplicate_examples[0], "n2/y.JPEG"));
}

struct Flat : Bench {
  Flat() {
    Tar tar;
    for (const int i : {3, 1, 4, 2}) tar.add(fmt::format("val_{}.JPEG", i), numbered_jpeg(i));
    write_bytes(path("val.tar"), tar.finish());
    for (int i = 1; i <= 4; ++i) write_bytes(path("val") / fmt::format("val_{}.JPEG", i), numbered_jpeg(i));
  }
  std::vector<std::string> labels(const std::string& out) {
    const Dataset set = open(out);
    std::vector<std::string> result(static_cast<size_t>(set.samples()));
    for (int64_t i = 0; i < set.samples(); ++i)
      result[std::stoul(set.name(i).substr(4)) - 1] = set.wnids()[static_cast<size_t>(set.label(i))];
    return result;
  }
};

TEST_CASE("pack: flat sets take their labels from a two-column file, in every spelling") {
  Flat bench;
  const std::vector<std::string> expected = {"n00000007", "n00000009", "n00000007", "n00000003"};
  write_text(bench.path("tabs"),
             "val_1.JPEG\tn00000007\nval_2.JPEG\tn00000009\nval_3.JPEG\tn00000007\nval_4.JPEG\tn00000003\n");
  write_text(
      bench.path("spaces"),
      "val_4.JPEG n00000003\r\nval_2.JPEG n00000009\r\nval_3.JPEG n00000007\r\n\r\nval_1.JPEG n00000007\r\n");
  write_text(bench.path("kaggle"),
             "ImageId,PredictionString\nval_1,n00000007 85 1 499 272\nval_2,n00000009 1 2 3 4 n00000009 1 "
             "2 3 4\nval_3,n00000007 0 0 1 1\nval_4,n00000003 0 0 1 1\n");
  write_text(bench.path("indices"),
             "val/val_1.JPEG 1\nval/val_2.JPEG 2\nval/val_3.JPEG 1\nval/val_4.JPEG 0\n");
  write_text(bench.path("classes.tsv"),
             "index\tother\twnid\tname\n0\t5\tn00000003\tgoldfish\n1\t6\tn00000007\tcrane\n2\t7\tn00000009\tc"
             "rane\n");
  for (const char* labels : {"tabs", "spaces", "kaggle", "indices"}) {
    INFO(labels);
    PackOptions options;
    options.labels = bench.path(labels);
    if (labels == std::string("indices")) options.classes = bench.path("classes.tsv");
    for (const char* source : {"val.tar", "val"}) {
      const std::string out = std::string(labels) + source + ".out";
      CHECK(bench.pack(source, out, options).images == 4);
      CHECK(bench.labels(out) == expected);
    }
  }
  CHECK(bench.open("indicesval.out").class_names() == std::vector<std::string>{"goldfish", "crane", "crane"});
  // The training set's table makes a validation set of fewer classes fit, in every way a table is given.
  for (const char* table :
       {"n00000003\nn00000007\nn00000008\nn00000009\n",
        "n00000003 goldfish, Carassius\nn00000007 crane\nn00000008 x\nn00000009 y\n",
        "0\tn00000003\tgoldfish\n1\tn00000007\tcrane\n2\tn00000008\tx\n3\tn00000009\ty\n"}) {
    write_text(bench.path("table"), table);
    PackOptions options;
    options.labels = bench.path("tabs");
    options.classes = bench.path("table");
    const auto report = bench.pack("val", "table.out", options);
    CHECK(report.histogram == std::vector<int64_t>{1, 2, 0, 1});
    PackOptions again;
    again.labels = bench.path("tabs");
    again.classes = bench.path("table.out");
    CHECK(bench.pack("val", "again.out", again).fingerprint == report.fingerprint);
    fs::remove_all(bench.path("table.out"));
    fs::remove_all(bench.path("again.out"));
  }
}

TEST_CASE("pack: what does not fit is refused in words, and leaves nothing behind") {
  Flat bench;
  PackOptions options;
  const auto with = [&](const std::string& labels, const std::string& classes = "") {
    write_text(bench.path("l"), labels);
    options.labels = bench.path("l");
    if (!classes.empty()) write_text(bench.path("c"), classes);
    options.classes = classes.empty() ? fs::path() : bench.path("c");
    return bench.error("val.tar", options);
  };
  CHECK(contains(with("val_1.JPEG a\nval_2.JPEG b\nval_3.JPEG a\n"), "no label for val_4.JPEG"));
  CHECK(contains(with("val_1.JPEG a\nval_1.JPEG b\n"), "labels val_1.JPEG twice"));
  CHECK(contains(with("val_1.JPEG 0\nval_2.JPEG 1\nval_3.JPEG 0\nval_4.JPEG 1\n"), "--classes"));
  CHECK(
      contains(with("val_1.JPEG 1\nval_2.JPEG 2\nval_3.JPEG 1\nval_4.JPEG 1\n", "n1\nn2\n"), "count from 0"));
  CHECK(contains(with("val_1.JPEG n3\nval_2.JPEG n1\nval_3.JPEG n1\nval_4.JPEG n1\n", "n1\nn2\n"),
                 "none of the 2 classes"));
  CHECK(contains(with("1\n2\n1\n2\n"), "--devkit-meta"));
  CHECK(contains(with("val_1.JPEG a\nval_2.JPEG a\nval_3.JPEG a\nval_4.JPEG a\n"), "one class only"));
  CHECK(contains(with("val_1.JPEG a\nval_2.JPEG a\n7\n"), "some lines are"));
  CHECK(contains(with(""), "holds no labels"));
  CHECK(contains(with("val_1.JPEG a\n", "n1\nn1\n"), "different classes"));
  CHECK(contains(bench.error("val.tar"), "give --labels"));
  CHECK(contains(bench.error("nowhere"), "does not exist"));
  write_text(bench.path("empty/readme.txt"), "x");
  CHECK(contains(bench.error("empty"), "holds no JPEG or PNG image"));
  fixtures::write_folder_set(bench.path("one"), 1, 2);
  CHECK(contains(bench.error("one"), "one class only"));
  fixtures::write_folder_set(bench.path("gap"), 2, 1);
  fs::create_directories(bench.path("gap/n00000009"));
  CHECK(contains(bench.error("gap"), "n00000009 holds no"));
  write_bytes(bench.path("twice.tar"), Tar()
                                           .add("n1/x.JPEG", numbered_jpeg(1))
                                           .add("n2/y.JPEG", numbered_jpeg(2))
                                           .add("n1/x.JPEG", numbered_jpeg(1))
                                           .finish());
  CHECK(contains(bench.error("twice.tar"), "n1/x.JPEG is there twice"));
  write_bytes(bench.path("mixed.tar"), Tar()
                                           .add("n1.tar", class_tar(1, 2))
                                           .add("n2/y.JPEG", numbered_jpeg(2))
                                           .add("n3.tar", class_tar(3, 2))
                                           .finish());
  CHECK(contains(bench.error("mixed.tar"), "n2/y.JPEG stands beside inner tars such as n1.tar"));
  const Bytes whole = Tar().add("n1.tar", class_tar(1, 3)).finish();
  write_bytes(bench.path("cut.tar"), Bytes(whole.begin(), whole.begin() + 2048));
  CHECK(contains(bench.error("cut.tar"), "truncated"));
  write_text(bench.path("text.tar"), std::string(4096, 'x'));
  CHECK(contains(bench.error("text.tar"), "no tar archive"));
}

TEST_CASE("pack: names from an archive never leave the dataset's folder") {
  Bench bench;
  write_bytes(bench.path("in/evil.tar"), Tar()
                                             .add("../../n1/../../../escape.JPEG", numbered_jpeg(1))
                                             .add("/n2/absolute.JPEG", numbered_jpeg(2))
                                             .add("n1/ok.JPEG", numbered_jpeg(3))
                                             .finish());
  CHECK(contains(bench.error("in/evil.tar"), "lies in no class folder"));
  write_bytes(
      bench.path("in/rooted.tar"),
      Tar().add("/n2/absolute.JPEG", numbered_jpeg(2)).add("../n1/ok.JPEG", numbered_jpeg(3)).finish());
  CHECK(bench.pack("in/rooted.tar", "out").images == 2);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(bench.folder.path()))
    files += entry.is_regular_file();
  CHECK(files == 4);  // two tars, one shard, dataset.json
}

}  // namespace
}  // namespace convoy

// Tar archives of every dialect, nested, damaged and cut off.
#include "data/tar.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "pack_fixtures.h"

namespace convoy {
namespace {

using fixtures::Bytes;
using fixtures::Tar;

Bytes text(const std::string& content) {
  const auto* data = reinterpret_cast<const std::byte*>(content.data());
  return {data, data + content.size()};
}

struct TarFile {
  explicit TarFile(const Bytes& bytes) {
    fixtures::write_bytes(folder.path() / "a.tar", bytes);
    file = std::make_unique<File>(folder.path() / "a.tar", File::Mode::read);
  }
  std::string content(const TarMember& member) const {
    std::string result(member.size, '\0');
    file->read_at(member.offset, result.data(), result.size());
    return result;
  }
  fixtures::TemporaryFolder folder;
  std::unique_ptr<File> file;
};

std::string error_of(const TarFile& tar) {
  try {
    list_tar(*tar.file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("tar: every dialect gives the same members") {
  const std::string deep = std::string(90, 'd') + "/" + std::string(90, 'e') + ".JPEG";
  for (const auto dialect : {Tar::Dialect::v7, Tar::Dialect::ustar, Tar::Dialect::gnu, Tar::Dialect::pax}) {
    const std::string long_name = dialect == Tar::Dialect::v7 ? "b" : deep;
    const TarFile tar(Tar(dialect)
                          .add("a/x.JPEG", text("xxx"))
                          .add("a/", {}, '5')
                          .add(long_name, text(std::string(513, 'y')))
                          .finish());
    const auto members = list_tar(*tar.file);
    REQUIRE(members.size() == 3);
    CHECK(members[0].name == "a/x.JPEG");
    CHECK(tar.content(members[0]) == "xxx");
    CHECK(members[1].type == '5');
    CHECK(members[2].name == long_name);
    CHECK(tar.content(members[2]) == std::string(513, 'y'));
  }
}

TEST_CASE("tar: a pax name of many directories and a global header") {
  const std::string name = std::string(300, 'p') + "/" + std::string(700, 'q');
  Tar tar(Tar::Dialect::pax);
  tar.raw("pax_global_header", 20, text("20 comment=abcdefgh\n"), 'g')
      .add(name, text("1"))
      .add("short", text("22"));
  const TarFile file(tar.finish());
  const auto members = list_tar(*file.file);
  REQUIRE(members.size() == 2);
  CHECK(members[0].name == name);
  CHECK(members[1].name == "short");
  CHECK(file.content(members[1]) == "22");
}

TEST_CASE("tar: a tar inside a tar is a byte range of the outer file") {
  const Bytes inner =
      Tar(Tar::Dialect::gnu).add("n1_1.JPEG", text("one")).add("n1_2.JPEG", text("two")).finish();
  const TarFile outer(Tar().add("n1.tar", inner).add("n2.tar", inner).finish());
  const auto tars = list_tar(*outer.file);
  REQUIRE(tars.size() == 2);
  const auto members = list_tar(*outer.file, tars[1].offset, tars[1].offset + tars[1].size, "inner");
  REQUIRE(members.size() == 2);
  CHECK(members[1].name == "n1_2.JPEG");
  CHECK(outer.content(members[1]) == "two");
  CHECK(members[1].offset > tars[1].offset);
}

TEST_CASE("tar: links keep their target, sizes of links count for nothing") {
  const TarFile tar(Tar()
                        .add("a", text("xyz"))
                        .raw("b", 3, {}, '1', "a")
                        .raw("c", 0, {}, '2', "a")
                        .add("d", text("d"))
                        .finish());
  const auto members = list_tar(*tar.file);
  REQUIRE(members.size() == 4);
  CHECK(members[1].link == "a");
  CHECK(members[1].type == '1');
  CHECK(members[2].type == '2');
  CHECK(tar.content(members[3]) == "d");
}

TEST_CASE("tar: every cut is noticed and named with its byte") {
  const Bytes whole = Tar().add("first", text(std::string(700, 'a'))).add("second", text("b")).finish();
  const size_t end_mark = whole.size() - 1024;
  for (size_t bytes = 0; bytes < end_mark + 512; bytes += 64) {
    const TarFile tar(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(bytes)));
    const std::string error = error_of(tar);
    INFO(bytes << ": " << error);
    REQUIRE(error.find("truncated") != std::string::npos);
    CHECK(error.find(std::to_string(bytes)) != std::string::npos);
    CHECK(error.find("a.tar") != std::string::npos);
  }
  CHECK(error_of(TarFile(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(end_mark + 512))))
            .empty());
}

TEST_CASE("tar: any changed byte of a header breaks its checksum") {
  const Bytes whole = Tar().add("first", text("a")).add("second", text("b")).finish();
  for (size_t i = 1024; i < 1536; ++i) {
    if (i >= 1024 + 148 && i < 1024 + 156) continue;  // the checksum itself: below
    Bytes bytes = whole;
    bytes[i] ^= std::byte{0x41};
    const std::string error = error_of(TarFile(bytes));
    INFO(i << ": " << error);
    REQUIRE(error.find("wrong checksum") != std::string::npos);
    REQUIRE(error.find("byte 1024") != std::string::npos);
  }
  for (size_t i = 1024 + 148; i < 1024 + 154; ++i) {
    Bytes bytes = whole;
    bytes[i] = bytes[i] == std::byte{'1'} ? std::byte{'2'} : std::byte{'1'};
    REQUIRE(error_of(TarFile(bytes)).find("wrong checksum") != std::string::npos);
  }
}

TEST_CASE("tar: what is no tar, claims too much, or is sparse is refused in words") {
  CHECK(error_of(TarFile(text(std::string(2048, 'x')))).find("no tar archive") != std::string::npos);
  CHECK(error_of(TarFile(Tar().raw("big", uint64_t{1} << 60, {}, '0').finish())).find("truncated") !=
        std::string::npos);
  CHECK(error_of(TarFile(Tar(Tar::Dialect::gnu).raw("big", ~uint64_t{0}, {}, '0').finish()))
            .find("truncated") != std::string::npos);
  CHECK(error_of(TarFile(Tar(Tar::Dialect::gnu).add("s", text("1"), 'S').finish())).find("sparse") !=
        std::string::npos);
  for (const char* pax : {"5 a=b\n", "999999 path=x\n", "x path=y\n", "12 path=abc?", "3 \n", "10 size=x\n",
                          "12 size=1x2\n", "29 size=99999999999999999999\n", "8 size=\n"}) {
    INFO(pax);
    CHECK(
        error_of(TarFile(Tar().add("x", text(pax), 'x').add("y", text("1")).finish())).find("damaged pax") !=
        std::string::npos);
  }
  CHECK(error_of(TarFile(Tar().add("x", text("22 GNU.sparse.major=1\n"), 'x').add("y", text("1")).finish()))
            .find("sparse") != std::string::npos);
}

}  // namespace
}  // namespace convoy

#include "interop/safetensors.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "../support/temporary_folder.h"
#include "base/error.h"
#include "interop/weights.h"
#include "net/program.h"
#include "net/resnet.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

using Folder = testing::TemporaryFolder;

template <class T>
std::span<const std::byte> raw(const std::vector<T>& values) {
  return std::as_bytes(std::span<const T>(values));
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string with_header(const std::string& header, size_t data) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  return file + header + std::string(data, '\1');
}

// Everything that a file says, in one text; an Error if it is refused.
std::string told(const fs::path& path) {
  const Safetensors file(path);
  file.verify();
  std::string all;
  for (const auto& [key, value] : file.metadata())
    if (key != "convoy_xxh3" && value.size() != 32) all += key + "=" + value + "\n";
  for (const TensorEntry& tensor : file.tensors()) {
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    all += tensor.name + tensor.dtype + std::to_string(tensor.shape.size());
    if (tensor.dtype == "I64") continue;
    file.read(tensor, values);
    all.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  return all;
}

std::string refusal(const fs::path& path) {
  try {
    told(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

Graph small_graph(int channels = 2, int classes = 3) {
  GraphBuilder builder("small", {1, 4, 4});
  int x = builder.conv("conv1", 0, {.outputs = channels, .kernel = {3, 3}, .stride = {1, 1}},
                       {Init::Kind::normal, 0.1f});
  x = builder.batchnorm("bn1", x, {});
  x = builder.linear("fc", x, {.outputs = classes}, {Init::Kind::normal, 0.1f});
  builder.softmax_loss("loss", x, 0.0f);
  return builder.finish();
}

struct Fixture {
  Folder folder;
  Graph graph = small_graph();
  Arena arena{graph, lower(graph, 1).layout, 0};
  fs::path file = folder.path() / "weights.safetensors";
  Fixture() {
    arena.initialize(3);
    export_weights(file, graph, arena, 7, {{"format", "pt"}, {"job", "[network]\n"}});
  }
  std::string import_refusal(const Graph& into, const fs::path& path,
                             const std::vector<std::string>& fresh = {}) {
    Arena other(into, lower(into, 1).layout, 0);
    try {
      import_weights(path, into, other, fresh);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
};

}  // namespace

TEST_CASE("weights go out and come in with every bit") {
  Fixture f;
  Arena other(f.graph, lower(f.graph, 1).layout, 0);
  const Imported imported = import_weights(f.file, f.graph, other);
  CHECK(other.digest() == f.arena.digest());
  CHECK(imported.rounded == 0);
  CHECK(imported.metadata.at("job") == "[network]\n");
  const Safetensors file(f.file);
  CHECK(file.find("bn1.num_batches_tracked")->dtype == "I64");
  CHECK(file.find("bn1.num_batches_tracked")->shape.empty());
  CHECK(file.find("nothing") == nullptr);
  CHECK(classes_in(file, small_graph(2, 9)) == 3);
}

TEST_CASE("a ResNet-50 has torchvision's 161 parameters and 159 buffers") {
  const Folder folder;
  ResnetOptions options;
  options.input = 32;
  options.width = 4;
  const Graph graph = resnet(options);
  Arena arena(graph, lower(graph, 2).layout, 0);
  export_weights(folder.path() / "w", graph, arena, 0, {});
  const Safetensors file(folder.path() / "w");
  CHECK(file.tensors().size() == 161 + 159);
  for (const char* name : {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.running_var",
                           "layer2.0.downsample.1.num_batches_tracked", "fc.bias"})
    CHECK(file.find(name) != nullptr);
}

TEST_CASE("every bit of a file, turned over: refused, or it says the same") {
  Fixture f;
  const std::string good = bytes_of(f.file), says = told(f.file);
  REQUIRE(good.size() < 4000);
  const fs::path bad = f.folder.path() / "bad";
  int refused = 0, harmless = 0;
  for (size_t i = 0; i < 8 * good.size(); ++i) {
    std::string changed = good;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    put(bad, changed);
    if (refusal(bad) != "accepted") {
      ++refused;
    } else if (told(bad) == says) {
      ++harmless;  // the name of the checksum's own key
    } else {
      FAIL("bit " << i % 8 << " of byte " << i / 8 << " changes what is read, and nobody says so");
    }
  }
  CHECK(harmless <= 8 * 11);  // bits of "convoy_xxh3": without it nothing is promised
  CHECK(refused > 6000);
}

TEST_CASE("every shortened file is refused, and an appended one") {
  Fixture f;
  const std::string good = bytes_of(f.file);
  const fs::path bad = f.folder.path() / "bad";
  for (size_t length = 0; length < good.size(); ++length) {
    put(bad, good.substr(0, length));
    INFO(length << " bytes");
    CHECK(refusal(bad) != "accepted");
  }
  put(bad, good + "x");
  CHECK(refusal(bad).find("cut short or appended to") != std::string::npos);
}

TEST_CASE("headers that were written to be misunderstood") {
  const Folder folder;
  const fs::path path = folder.path() / "bad";
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const struct {
    std::string file, says;
  } cases[] = {
      {with_header("{" + a + "}", 8), "accepted"},
      {with_header("{" + a + "}   ", 8), "accepted"},
      {with_header(" {" + a + "}", 8), "does not begin with a brace"},
      {with_header("{" + a + "," + a + "}", 8), "twice"},
      {with_header(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "twice"},
      {with_header("{" + a + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
       "over one another"},
      {with_header("{" + a + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})", 20), "a hole"},
      {with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), "a hole"},
      {with_header("{" + a + "}", 9), "cut short or appended"},
      {with_header("{" + a + "}", 7), "cut short or appended"},
      {with_header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
       "not what 3 of F32 needs"},
      {with_header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "whole numbers"},
      {with_header(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8), "whole numbers"},
      {with_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}})",
                   0),
       "larger than any file"},
      {with_header(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", 0),
       "larger than any file"},
      {with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "not what"},
      {with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8), "not two numbers"},
      {with_header(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8), "not known here"},
      {with_header(R"({"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}})", 8), "no text"},
      {with_header(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), "not dtype, shape and data_offsets"},
      {with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})", 8),
       "not dtype, shape"},
      {with_header(R"({"a":[1]})", 0), "not dtype, shape"},
      {with_header(R"({"__metadata__":{"k":1},)" + a + "}", 8), "is no text"},
      {with_header(R"({"__metadata__":"k",)" + a + "}", 8), "no table of texts"},
      {with_header("{" + a + "}{}", 8), "not JSON"},
      {with_header("{" + a, 8), "not JSON"},
      {with_header("{\"\xff\":1}", 0), "not JSON"},
      {with_header("{\"a\":" + std::string(100000, '[') + "}", 0), "nested deeper"},
      {with_header("[]", 0), "brace"},
      {with_header("", 0), "brace"},
      {std::string(8, '\xff'), "promises a header"},
      {std::string("\0\0\0\0\1\0\0\0{}", 10), "promises a header"},
      {"", "fewer than 8 bytes"},
  };
  for (const auto& [file, says] : cases) {
    put(path, file);
    INFO(file.substr(0, 100));
    CHECK(refusal(path).find(says) != std::string::npos);
  }
}

TEST_CASE("other types come in exactly, or it is counted what was rounded") {
  const Folder folder;
  const fs::path path = folder.path() / "types";
  const std::vector<double> f64{1.0, 0.1, -0x1p-149, 3e38};
  const std::vector<uint16_t> f16{0x3c00, 0x0001, 0xfbff}, bf16{0x3f80, 0x0001, 0xff7f};
  const std::vector<int32_t> i32{1, 2};
  write_safetensors(path,
                    {{"double", "F64", {2, 2}, raw(f64)},
                     {"integer", "I32", {2}, raw(i32)},
                     {"half", "F16", {3}, raw(f16)},
                     {"brain", "BF16", {3}, raw(bf16)}},
                    {});
  const Safetensors file(path);
  std::vector<float> four(4), three(3), two(2);
  CHECK(file.read(*file.find("double"), four) == 2);  // 0.1 and 3e38
  CHECK(four == std::vector<float>{1.0f, 0.1f, -0x1p-149f, 3e38f});
  CHECK(file.read(*file.find("half"), three) == 0);
  CHECK(three == std::vector<float>{1.0f, 0x1p-24f, -65504.0f});
  CHECK(file.read(*file.find("brain"), three) == 0);
  CHECK(three == std::vector<float>{1.0f, 0x1p-133f, -0x1.fep127f});
  CHECK_THROWS_WITH(file.read(*file.find("integer"), two), Catch::Contains("integer is of type I32"));
}

TEST_CASE("weights of another network are refused by the first tensor that differs") {
  Fixture f;
  CHECK(f.import_refusal(small_graph(2, 4), f.file).find("fc.weight is 3x8 there and 4x8 in small") !=
        std::string::npos);
  CHECK(f.import_refusal(small_graph(2, 4), f.file, {"fc"}) == "accepted");
  CHECK(f.import_refusal(small_graph(), f.file, {"fd"}).find("no layer fd") != std::string::npos);
  CHECK(f.import_refusal(small_graph(3), f.file).find("conv1.weight is 2x1x3x3 there") != std::string::npos);
  const fs::path path = f.folder.path() / "other";
  const std::vector<float> one{1};
  write_safetensors(path, {{"conv1.weight", "F32", {1}, raw(one)}}, {});
  CHECK(f.import_refusal(small_graph(), path).find("conv1.weight is 1 there") != std::string::npos);
  write_safetensors(path, {{"conv2.weight", "F32", {1}, raw(one)}}, {});
  CHECK(f.import_refusal(small_graph(), path).find("conv1.weight is missing") != std::string::npos);

  GraphBuilder shorter("shorter", {1, 4, 4});
  int x = shorter.conv("conv1", 0, {.outputs = 2, .kernel = {3, 3}, .stride = {1, 1}}, {});
  x = shorter.linear("fc", x, {.outputs = 3}, {});
  shorter.softmax_loss("loss", x, 0.0f);
  CHECK(f.import_refusal(shorter.finish(), f.file).find("it holds bn1.bias, which shorter does not have") !=
        std::string::npos);
}

TEST_CASE("a layer that starts afresh keeps what the arena has") {
  Fixture f;
  const Graph wider = small_graph(2, 4);
  Arena other(wider, lower(wider, 1).layout, 0), plain(wider, lower(wider, 1).layout, 0);
  other.initialize(9);
  plain.initialize(9);
  const Imported imported = import_weights(f.file, wider, other, {"fc"});
  CHECK(imported.fresh == std::vector<std::string>{"fc.weight", "fc.bias"});
  CHECK(std::ranges::equal(other.param(3), plain.param(3)));
  CHECK(wider.params[3].name == "fc.weight");
  CHECK(std::ranges::equal(other.param(0), f.arena.param(0)));
}

TEST_CASE("files of other kinds are known by their first bytes") {
  Fixture f;
  const fs::path path = f.folder.path() / "resnet50.pth";
  for (const std::string& start : {std::string("PK\3\4zip"), std::string("\x80\2\x8a\x0alFfc")}) {
    put(path, start);
    const std::string says = f.import_refusal(f.graph, path);
    CHECK(says.find("not run here") != std::string::npos);
    CHECK(says.find("weights_only=True") != std::string::npos);
  }
  put(path, "\x89HDF\r\n\x1a\n");
  CHECK(f.import_refusal(f.graph, path).find("convoy export") != std::string::npos);
  put(path, "version https://git-lfs.github.com/spec/v1\n");
  CHECK(f.import_refusal(f.graph, path).find("git lfs pull") != std::string::npos);
  CHECK(f.import_refusal(f.graph, f.folder.path() / "none").find("No such file") != std::string::npos);
}

}  // namespace convoy

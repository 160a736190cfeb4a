#include "data/synth.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "data/encode.h"
#include "data/synth_shapes.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

SynthOptions small() {
  SynthOptions options;
  options.classes = 3;
  options.train_per_class = 4;
  options.val_per_class = 2;
  options.size = 24;
  return options;
}

std::map<std::string, fixtures::Bytes> all(const SynthOptions& options) {
  std::map<std::string, fixtures::Bytes> files;
  synthesize(options, [&files](const SynthImage& image) {
    files[image.name] = fixtures::Bytes(image.jpeg.begin(), image.jpeg.end());
  });
  return files;
}

}  // namespace

TEST_CASE("a synthetic set is a function of its options") {
  const auto files = all(small());
  CHECK(files.size() == 3 * (4 + 2));
  CHECK(files == all(small()));
  auto other = small();
  other.seed = 2;
  CHECK(files != all(other));
  auto larger = small();  // more images change nothing about the first
  larger.train_per_class = 6;
  larger.classes = 5;
  const auto more = all(larger);
  for (const auto& [name, bytes] : files) CHECK(more.at(name) == bytes);
  std::set<std::string> distinct;
  for (const auto& [name, bytes] : files)
    distinct.emplace(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(distinct.size() == files.size());
}

TEST_CASE("the folder holds what was made, and classes.tsv") {
  const fixtures::TemporaryFolder folder;
  const auto options = small();
  synthesize_folder(options, folder.path() / "set");
  for (const auto& [name, bytes] : all(options)) {
    CHECK(fixtures::read_bytes(folder.path() / "set" / name) == bytes);
    const Image image = decode(bytes);
    CHECK((image.width == 24 && image.height == 24));
  }
  CHECK(fs::exists(folder.path() / "set" / "train" / "n90000002" / "n90000002_3.JPEG"));
  const auto words = fixtures::read_bytes(folder.path() / "set" / "classes.tsv");
  const std::string text(reinterpret_cast<const char*>(words.data()), words.size());
  CHECK(text == "0\tn90000000\tdisc\n1\tn90000001\tring\n2\tn90000002\tsquare\n");
  CHECK_THROWS_WITH(synthesize_folder(options, folder.path() / "set"),
                    Catch::Matchers::Contains("exists already"));
}

TEST_CASE("colours and places do not tell the classes apart") {
  // Mean colour and mean picture of every class agree within what chance allows.
  SynthOptions options;
  options.size = 16;
  const int count = 300;
  for (int label = 0; label < options.classes; ++label) {
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
      const Image image = synth_image(options, false, label, i);
      double mean = 0;
      for (const uint8_t v : image.rgb) mean += v;
      mean /= static_cast<double>(image.rgb.size());
      sum += mean;
      squares += mean * mean;
    }
    const double mean = sum / count, error = std::sqrt((squares / count - mean * mean) / count);
    INFO(synth_word(label) << ": mean brightness " << mean << " +- " << error);
    CHECK(std::abs(mean - 127.5) < 5 * error);
  }
}

TEST_CASE("the shapes are different, bounded and have an inside and an outside") {
  std::set<std::string_view> words;
  std::set<std::vector<bool>> masks;
  for (int shape = 0; shape < synth_shapes; ++shape) {
    words.insert(shape_word(shape));
    std::vector<bool> mask;
    int inside = 0;
    for (int row = -30; row <= 30; ++row)
      for (int column = -30; column <= 30; ++column) {
        const double x = column / 20.0, y = row / 20.0;
        mask.push_back(shape_distance(shape, x, y) < 0);
        inside += mask.back();
        if (std::hypot(x, y) > 1.25 && mask.back())
          FAIL(shape_word(shape) << " reaches to " << x << ", " << y);
      }
    INFO(shape_word(shape) << ": " << inside << " of 3721");
    CHECK((inside > 200 && inside < 1500));
    masks.insert(mask);
  }
  CHECK(words.size() == synth_shapes);
  CHECK(masks.size() == synth_shapes);
}

TEST_CASE("impossible sets are refused") {
  using Catch::Matchers::Contains;
  const auto refused = [](auto change) {
    SynthOptions options;
    change(options);
    synthesize(options, [](const SynthImage&) {});
  };
  CHECK_THROWS_WITH(refused([](SynthOptions& o) { o.classes = 17; }), Contains("17 classes"));
  CHECK_THROWS_WITH(refused([](SynthOptions& o) { o.classes = 1; }), Contains("1 classes"));
  CHECK_THROWS_WITH(refused([](SynthOptions& o) { o.size = 8; }), Contains("8 pixels"));
  CHECK_THROWS_WITH(refused([](SynthOptions& o) { o.val_per_class = 0; }), Contains("at least one"));
}

TEST_CASE("encode_jpeg keeps the picture") {
  const Image source = fixtures::pattern(33, 21);
  const Image back = decode(encode_jpeg(source, 95));
  REQUIRE((back.width == 33 && back.height == 21));
  double difference = 0;
  for (size_t i = 0; i < source.rgb.size(); ++i) difference += std::abs(source.rgb[i] - back.rgb[i]);
  CHECK(difference / static_cast<double>(source.rgb.size()) < 4);
  CHECK_THROWS_WITH(encode_jpeg(Image{70000, 1, std::vector<uint8_t>(210000)}, 90),
                    Catch::Matchers::Contains("65500"));
}

}  // namespace convoy

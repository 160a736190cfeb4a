// Real photographs against Pillow itself (tests/data/pillow_reference.py): decoded, cropped and resized, normalized.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "data/augment.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using fixtures::Bytes;

struct Tally {
  int64_t values = 0, equal = 0, images = 0;
  double worst = 0;  // in units of one of the 255 steps of a pixel
  friend std::ostream& operator<<(std::ostream& out, const Tally& t) {
    return out << t.equal << " of " << t.values << " values equal bit for bit in " << t.images
               << " pictures, largest difference " << t.worst << "/255";
  }
};

// One thing asked of Pillow, and our own answer to it.
struct Question {
  Bytes ours;
  fs::path answer;
  bool normalized = false;
};

class Pillow {
 public:
  explicit Pillow(std::string python) : python_(std::move(python)) {}

  template <class T>
  void ask(const std::vector<T>& ours, const fs::path& image, const std::string& what) {
    const fs::path answer = folder_.path() / fmt::format("{}.raw", questions_.size());
    requests_ += fmt::format("{}\t{}\t{}\n", answer.string(), image.string(), what);
    const auto bytes = std::as_bytes(std::span(ours));
    questions_.push_back({Bytes(bytes.begin(), bytes.end()), answer, sizeof(T) == sizeof(float)});
  }

  // Runs Pillow over what was asked and compares; `optional` allows images that Pillow refuses.
  void compare(Tally& bytes, Tally& normalized, bool optional = false) {
    const fs::path list = folder_.path() / "requests.tsv";
    std::ofstream(list) << requests_;
    const std::string command =
        "'" + python_ + "' '" CONVOY_SOURCE_DIR "/tests/data/pillow_reference.py' '" + list.string() + "'";
    REQUIRE(std::system(command.c_str()) == 0);
    for (const Question& q : questions_) {
      if (optional && !fs::exists(q.answer)) continue;
      const Bytes theirs = fixtures::read_bytes(q.answer);
      REQUIRE(theirs.size() == q.ours.size());
      Tally& tally = q.normalized ? normalized : bytes;
      ++tally.images;
      if (q.normalized)
        add<float>(tally, q.ours, theirs);
      else
        add<uint8_t>(tally, q.ours, theirs);
      fs::remove(q.answer);
    }
    questions_.clear();
    requests_.clear();
  }

 private:
  template <class T>
  static void add(Tally& tally, const Bytes& ours, const Bytes& theirs) {
    const size_t count = ours.size() / sizeof(T);
    const std::array<float, 3> deviations = Transform{}.std;
    for (size_t i = 0; i < count; ++i) {
      T a, b;
      std::memcpy(&a, ours.data() + i * sizeof(T), sizeof(T));
      std::memcpy(&b, theirs.data() + i * sizeof(T), sizeof(T));
      // After normalization a step of a pixel is 1/255 over the channel's std.
      const double step = sizeof(T) == 1 ? 1.0 : 1.0 / 255 / deviations[i * 3 / count];
      const double steps = std::abs(static_cast<double>(a) - b) / step;
      tally.equal += a == b;
      tally.worst = std::max(tally.worst, steps);
    }
    tally.values += static_cast<int64_t>(count);
  }

  std::string python_;
  fixtures::TemporaryFolder folder_;
  std::string requests_;
  std::vector<Question> questions_;
};

std::string numbers(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += fmt::format("\t{}", value);
  return text;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() != ".tsv") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void ask_everything(Pillow& pillow, const fs::path& path, const Image& image, uint64_t number) {
  pillow.ask(image.rgb, path, "decode");
  Scratch scratch;
  Transform t;
  const int sizes[4][2] = {{224, 224}, {96, 160}, {300, 40}, {7, 331}};
  for (uint64_t k = 0; k < 4; ++k) {
    const Crop c = train_view(image.width, image.height, t, Random(11, stream_of("crop", number, k))).crop;
    resize(image, c, sizes[k][0], sizes[k][1], scratch.resized, scratch.resize);
    pillow.ask(scratch.resized.rgb, path,
               "crop" + numbers({c.left, c.top, c.width, c.height, sizes[k][0], sizes[k][1]}));
  }
  std::vector<float> chw(3 * 224 * 224);
  const Random random(5, stream_of("augment", 0, number));
  const View view = train_view(image.width, image.height, t, random);
  prepare_train(image, t, random, chw, scratch);
  pillow.ask(chw, path,
             "train" + numbers({view.crop.left, view.crop.top, view.crop.width, view.crop.height, 224,
                                view.mirror}));
  prepare_held_out(image, t, chw, scratch);
  pillow.ask(chw, path, "held_out\t256\t224");

  t.train = "random-crop";
  t.squash = true;
  t.input = 227;
  const View square = train_view(image.width, image.height, t, random);
  resize(image, square.crop, square.width, square.height, square.window, scratch.resized, scratch.resize);
  pillow.ask(scratch.resized.rgb, path,
             "squash" + numbers({256, square.window.left, square.window.top, 227}));
}

}  // namespace

TEST_CASE("100 full-size photographs, decoded, cropped, resized and normalized, equal Pillow's") {
  const auto data = fixtures::real_data("photographs against Pillow");
  if (data.empty()) return;
  const auto python = fixtures::python_with_pillow("photographs against Pillow");
  if (python.empty()) return;
  const auto files = files_below(data / "imagenet100" / "train");
  CHECK(files.size() == 100);
  Pillow pillow(python);
  Tally bytes, normalized;
  for (size_t i = 0; i < files.size(); ++i) {
    ask_everything(pillow, files[i], decode(fixtures::read_bytes(files[i])), i);
    if (i % 20 == 19 || i + 1 == files.size()) pillow.compare(bytes, normalized);  // keeps the folder small
  }
  std::cout << "imagenet100, decoded, cropped and resized: " << bytes << "\n"
            << "imagenet100, training and held-out inputs: " << normalized << "\n";
  CHECK(bytes.worst <= 1.0);
  CHECK(normalized.worst <= 1.001);  // one step, and f32 rounding
  CHECK(bytes.images == 600);
  CHECK(normalized.images == 200);
}

TEST_CASE("the odd files that both can read give Pillow's pixels") {
  const auto data = fixtures::real_data("odd files against Pillow");
  if (data.empty()) return;
  const auto python = fixtures::python_with_pillow("odd files against Pillow");
  if (python.empty()) return;
  Pillow pillow(python);
  Tally bytes, normalized;
  for (const auto& path : files_below(data / "jpeg-quirks")) {
    Image image;
    try {
      image = decode(fixtures::read_bytes(path));
    } catch (const std::exception&) {
      continue;  // the manifest's test has judged it
    }
    pillow.ask(image.rgb, path, "decode");
  }
  pillow.compare(bytes, normalized, true);
  std::cout << "jpeg-quirks, decoded: " << bytes << "\n";
  CHECK(bytes.images >= 37);
  CHECK(bytes.worst <= 1.0);
}

}  // namespace convoy

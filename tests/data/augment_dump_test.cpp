// Not run by default: writes our inputs of the 100 photographs, and many crops, for tests/data/torchvision_check.py.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "data/augment.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

void write_floats(const fs::path& path, const std::vector<float>& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

}  // namespace

TEST_CASE("inputs for torchvision_check.py, written to CONVOY_DUMP", "[.dump]") {
  const char* place = std::getenv("CONVOY_DUMP");
  const fs::path data = fixtures::real_data("the dump for torchvision");
  REQUIRE((place && !data.empty()));
  const fs::path folder = place;

  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(data / "imagenet100" / "train"))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const Transform t;
  Scratch scratch;
  std::vector<float> chw(3 * 224 * 224);
  std::ofstream index(folder / "index.tsv");
  for (size_t i = 0; i < files.size(); ++i) {
    const Image image = decode(fixtures::read_bytes(files[i]));
    const Random random(1, stream_of("augment", 0, i));
    const View view = train_view(image.width, image.height, t, random);
    index << i << '\t' << files[i].string() << '\t' << view.crop.top << '\t' << view.crop.left << '\t'
          << view.crop.height << '\t' << view.crop.width << '\t' << view.mirror << '\n';
    prepare_train(image, t, random, chw, scratch);
    write_floats(folder / (std::to_string(i) + ".train"), chw);
    prepare_held_out(image, t, chw, scratch);
    write_floats(folder / (std::to_string(i) + ".held_out"), chw);
  }
  std::ofstream crops(folder / "crops.tsv");  // image width, height, then top, left, height, width
  for (const auto& [width, height] : {std::pair{500, 375}, std::pair{900, 300}, std::pair{200, 1000}})
    for (uint64_t i = 0; i < 20000; ++i) {
      const Crop c = train_view(width, height, t, Random(2, stream_of("augment", 1, i))).crop;
      crops << width << '\t' << height << '\t' << c.top << '\t' << c.left << '\t' << c.height << '\t'
            << c.width << '\n';
    }
  CHECK(crops.good());
}

}  // namespace convoy

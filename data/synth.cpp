#include "data/synth.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/encode.h"
#include "data/synth_shapes.h"

namespace convoy {
namespace {

using Colour = std::array<double, 3>;

double between(Random& random, double low, double high) { return low + (high - low) * random.next_uniform(); }

double brightness(const Colour& colour) { return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]; }

Colour any_colour(Random& random) {
  return {between(random, 20, 235), between(random, 20, 235), between(random, 20, 235)};
}

// Two colours of clearly different brightness; which of them is the brighter is a coin's fall.
std::array<Colour, 2> two_colours(Random& random) {
  while (true) {
    const Colour a = any_colour(random), b = any_colour(random);
    if (std::abs(brightness(a) - brightness(b)) >= 80) return {a, b};
  }
}

void check(const SynthOptions& o) {
  require(o.classes >= 2 && o.classes <= synth_shapes, Exit::usage,
          "synth: {} classes asked for; 2 to {} are there", o.classes, synth_shapes);
  require(o.train_per_class >= 1 && o.val_per_class >= 1, Exit::usage,
          "synth: train and val need at least one image a class each");
  require(o.size >= 16 && o.size <= 1024, Exit::usage, "synth: a size of {} pixels; 16 to 1024 work", o.size);
  require(o.quality >= 1 && o.quality <= 100, Exit::usage, "synth: JPEG quality {}; 1 to 100 work",
          o.quality);
}

}  // namespace

std::string synth_wnid(int label) { return fmt::format("n9{:07d}", label); }

std::string synth_word(int label) { return std::string(shape_word(label)); }

Image synth_image(const SynthOptions& options, bool held_out, int label, int number) {
  Random random(options.seed, stream_of(held_out ? "synth val" : "synth train", static_cast<uint64_t>(label),
                                        static_cast<uint64_t>(number)));
  const int size = options.size;
  const double radius = size * between(random, 0.30, 0.42);
  const double reach = std::max(0.0, size / 2.0 - radius);
  const double center_x = size / 2.0 + between(random, -reach, reach);
  const double center_y = size / 2.0 + between(random, -reach, reach);
  const double turn = between(random, 0, 2 * std::numbers::pi), cosine = std::cos(turn),
               sine = std::sin(turn);
  const double blur = size / 48.0 * between(random, 0.8, 1.8);  // width of the edge in pixels
  const auto [ground, figure] = two_colours(random);
  const double slope_x = between(random, -20, 20) / size, slope_y = between(random, -20, 20) / size;
  const double grain = between(random, 2, 8);

  Image image{size, size, std::vector<uint8_t>(static_cast<size_t>(size) * size * 3)};
  uint8_t* pixel = image.rgb.data();
  for (int row = 0; row < size; ++row)
    for (int column = 0; column < size; ++column) {
      const double x = column + 0.5 - center_x, y = row + 0.5 - center_y;
      const double distance =
          shape_distance(label, (cosine * x + sine * y) / radius, (cosine * y - sine * x) / radius) * radius;
      const double cover = std::clamp(0.5 - distance / blur, 0.0, 1.0);
      const double shade = slope_x * (column - size / 2.0) + slope_y * (row - size / 2.0);
      for (size_t c = 0; c < 3; ++c) {
        const uint32_t a = random.next_bits(), b = random.next_bits();
        const double value = ground[c] + (figure[c] - ground[c]) * cover + shade + grain * normal(a, b);
        *pixel++ = static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L));
      }
    }
  return image;
}

void synthesize(const SynthOptions& options, const std::function<void(const SynthImage&)>& write) {
  check(options);
  for (const bool held_out : {false, true})
    for (int label = 0; label < options.classes; ++label)
      for (int number = 0; number < (held_out ? options.val_per_class : options.train_per_class); ++number) {
        const std::string wnid = synth_wnid(label);
        const auto jpeg = encode_jpeg(synth_image(options, held_out, label, number), options.quality);
        write({held_out, label, number,
               fmt::format("{}/{}/{}_{}.JPEG", held_out ? "val" : "train", wnid, wnid, number), jpeg});
      }
}

void synthesize_folder(const SynthOptions& options, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  check(options);
  require(!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder)), Exit::usage,
          "synth: {} exists already and is not an empty folder: remove it or name another", folder.string());
  std::string words;
  for (int label = 0; label < options.classes; ++label) {
    words += fmt::format("{}\t{}\t{}\n", label, synth_wnid(label), synth_word(label));
    for (const char* split : {"train", "val"}) {
      std::error_code error;
      fs::create_directories(folder / split / synth_wnid(label), error);
      if (error) fail_errno(error.value(), fmt::format("cannot create {}", (folder / split).string()));
    }
  }
  synthesize(options, [&folder](const SynthImage& image) {
    File(folder / image.name, File::Mode::create).write_at(0, image.jpeg.data(), image.jpeg.size());
  });
  // Last, so that a set cut short by a full disk can be told from a whole one.
  replace_file(folder / "classes.tsv", words);
}

}  // namespace convoy

// Pictures: what a device makes of them with backends/fused/bodies_pictures.h is what the loader makes itself, bit for bit.
#include "data/picture_room.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "backends/fused/bodies_pictures.h"
#include "data/loader.h"
#include "decode_fixtures.h"
#include "pack_fixtures.h"
#include "port/picture_limits.h"
#include "tests/support/allocations.h"

namespace convoy {
namespace {

// One picture as the device sees it.
std::vector<float> planes_of(const Picture& picture, const Shades& shades, int side,
                             const uint8_t* decoded = nullptr) {
  struct {
    fused::PictureTable table;
    fused::PictureRecord record;
  } given{};
  given.table.divisor = shades.divisor;
  std::ranges::copy(shades.mean, given.table.mean);
  std::ranges::copy(shades.std, given.table.std);
  given.table.bgr = shades.bgr;
  const auto record_of = [](const PictureSide& s) {
    return fused::PictureSideRecord{s.first.data(), s.weights.data(), s.taps};
  };
  given.record = {
      .rgb = decoded != nullptr ? decoded : reinterpret_cast<const uint8_t*>(picture.bytes.data()),
      .across = record_of(picture.across),
      .down = record_of(picture.down),
      .width = picture.width,
      .present = 1,
      .down_first = picture.down_first,
      .mirror = picture.mirror};
  std::vector<float> planes(3 * static_cast<size_t>(side) * static_cast<size_t>(side),
                            std::numeric_limits<float>::quiet_NaN());
  const fused::PicturesBody body{&given.table, planes.data(), side};
  for (int64_t i = 0; i < int64_t{side} * side; ++i) body(i);
  return planes;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

Image noise(int width, int height, uint64_t seed) {
  Image image{width, height,
              std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  const Random random(seed, 1);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(random.bits(i) >> 24);
  return image;
}

struct Shape {
  int width, height;
};
// Enlarged, shrunk, one side alone, much higher than wide (Pillow's other order), single rows and columns.
constexpr Shape shapes[] = {{24, 20}, {500, 375}, {40, 700}, {700, 40}, {33, 33},
                            {1, 90},  {90, 1},    {1, 1},    {64, 48}};

}  // namespace

TEST_CASE("pictures: the device's planes are the loader's, for every view of every shape") {
  Scratch scratch;
  PictureRoom room;
  int mirrored = 0, down_first = 0;
  for (const char* train : {"random-resized-crop", "random-crop", "center"})
    for (const Shape& shape : shapes)
      for (uint64_t draw = 0; draw < 8; ++draw) {
        Transform t{.train = train, .input = 32, .resize = draw % 2 == 0 ? 32 : 45, .squash = draw % 4 == 1};
        t.bgr = draw % 3 == 1;
        if (draw % 3 == 2) t.divisor = 1.0f, t.mean = {104, 117, 123}, t.std = {256, 255, 257};
        const Image image = noise(shape.width, shape.height, draw);
        const View view =
            train_view(image.width, image.height, t, Random(draw, stream_of("augment", 1, draw)));
        std::vector<float> expected(size_t{3} * 32 * 32);
        prepare(image, view, t, expected, scratch);
        const Picture picture = room.pixels(image, view, scratch);
        mirrored += picture.mirror;
        down_first += picture.down_first;
        INFO(train << ", " << shape.width << " x " << shape.height << ", draw " << draw);
        CHECK(picture.bytes.size() == size_t{3} * static_cast<size_t>(picture.width * picture.height));
        CHECK(same_bits(planes_of(picture, shades_of(t), 32), expected));
      }
  CHECK((mirrored > 20 && down_first > 5));  // or the cases do not show what they should
}

TEST_CASE("pictures: what is larger than a picture may be is resized by the host, to the same bits") {
  const Image image = noise(1200, 900, 5);
  Scratch scratch;
  PictureRoom room;
  for (uint64_t draw = 0; draw < 6; ++draw) {
    Transform t;
    t.input = 32;
    t.resize = 40;
    t.min_area = 0.5;
    const View view = train_view(image.width, image.height, t, Random(draw, 3));
    std::vector<float> expected(size_t{3} * 32 * 32);
    prepare(image, view, t, expected, scratch);
    const Picture picture = room.pixels(image, view, scratch);
    CHECK((picture.width == 32 && picture.height == 32 && picture.bytes.size() == 3 * 32 * 32));
    CHECK(same_bits(planes_of(picture, shades_of(t), 32), expected));
  }
  CHECK(picture_bytes_limit(224) == 2 * 3 * 4 * 224 * 224);
  CHECK(PictureRoom::fits(std::vector<std::byte>(1000), {4000, 4000}, 224));
  CHECK(!PictureRoom::fits(std::vector<std::byte>(1000), {5000, 4000}, 224));
  CHECK(!PictureRoom::fits(std::vector<std::byte>(2 << 20), {500, 400}, 224));
}

TEST_CASE("pictures: a file's filters count from the corner of the whole image") {
  const Image image = noise(300, 200, 1);
  std::vector<std::byte> encoded = fixtures::jpeg(300, 200, 3, image.rgb);
  const auto size = plain_jpeg(encoded);
  REQUIRE(size.has_value());
  CHECK((size->width == 300 && size->height == 200));
  const Image decoded = decode(encoded);
  const Transform t{.input = 32, .resize = 40};
  Scratch scratch;
  PictureRoom room;
  for (uint64_t draw = 0; draw < 8; ++draw) {
    const View view = train_view(300, 200, t, Random(draw, 2));
    std::vector<float> expected(size_t{3} * 32 * 32);
    prepare(decoded, view, t, expected, scratch);
    std::vector<std::byte> copy = encoded;
    const Picture picture = room.file(copy, 300, 200, view, scratch.resize);
    CHECK(picture.file);
    CHECK(std::ranges::equal(picture.bytes, encoded));
    CHECK(same_bits(planes_of(picture, shades_of(t), 32, decoded.rgb.data()), expected));
  }
}

TEST_CASE("pictures: which JPEGs a decoder in hardware is given") {
  const Image image = fixtures::pattern(48, 40);
  const auto sampled = [&](int across, int down) {
    return plain_jpeg(fixtures::jpeg(48, 40, 3, image.rgb, {.across = across, .down = down})).has_value();
  };
  CHECK((sampled(1, 1) && sampled(2, 1) && sampled(1, 2) && sampled(2, 2)));
  CHECK(!sampled(4, 1));  // 4:1:1
  CHECK(plain_jpeg(fixtures::jpeg(48, 40, 1, std::vector<uint8_t>(48 * 40, 7))).has_value());
  CHECK(plain_jpeg(fixtures::jpeg(48, 40, 3, image.rgb, {.restart = 3})).has_value());
  CHECK(!plain_jpeg(fixtures::jpeg(48, 40, 3, image.rgb, {.progressive = true})));
  CHECK(!plain_jpeg(fixtures::jpeg(48, 40, 4, std::vector<uint8_t>(48 * 40 * 4, 7))));
  CHECK(!plain_jpeg(fixtures::png(48, 40, image.rgb)));
  const auto whole = fixtures::jpeg(48, 40, 3, image.rgb);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{2}, size_t{30}, size_t{160}})
    CHECK(!plain_jpeg(std::span(whole).first(bytes)));
}

TEST_CASE("pictures: a file that is damaged but can be read is decoded by the host") {
  fixtures::Bench bench(2, 3);
  const auto path = bench.options.source / "n00000002/image01.JPEG";
  REQUIRE(std::filesystem::exists(path));
  auto bytes = fixtures::numbered_jpeg(77, 48, 40);
  bytes.resize(bytes.size() - 60);  // of its scan
  fixtures::write_bytes(path, bytes);
  bench.pack();
  LocalCommunicator comm;
  const auto set = std::make_shared<const Dataset>(Dataset::open(bench.options.out, comm));
  LoaderOptions options;
  options.training = false;
  options.batch = 6;
  options.input = DeviceInput::files;
  options.transform.input = 16;
  options.transform.resize = 18;
  const Batch batch = make_loader(set, options)->next(0, 0);
  int damaged = 0;
  for (int64_t sample = 0; sample < 6; ++sample) {
    damaged += set->damaged(sample);
    CHECK(batch.pictures[static_cast<size_t>(sample)].file == !set->damaged(sample));
  }
  CHECK(damaged == 1);
}

TEST_CASE("pictures: the loader's batches are the same images, and allocate nothing once they have grown") {
  fixtures::Bench bench(3, 7);
  bench.pack();
  LocalCommunicator comm;
  const auto set = std::make_shared<const Dataset>(Dataset::open(bench.options.out, comm));
  LoaderOptions options;
  options.seed = 5;
  options.workers = 2;
  options.batch = 4;
  options.local_workers = {0, 1};
  options.threads = 2;
  options.transform.input = 16;
  options.transform.resize = 18;
  for (const bool training : {true, false}) {
    options.training = training;
    options.input = DeviceInput::planes;
    const auto planes = make_loader(set, options);
    options.input = DeviceInput::pictures;
    const auto pictures = make_loader(set, options);
    options.input = DeviceInput::files;
    const auto files = make_loader(set, options);
    int padding = 0;
    for (int64_t step = 0; step < 3; ++step)  // 21 images in 24 places
      for (int worker = 0; worker < 2; ++worker) {
        const Batch expected = planes->next(step, worker), batch = pictures->next(step, worker),
                    encoded = files->next(step, worker);
        REQUIRE((batch.pictures.size() == 4 && batch.images.empty() && expected.pictures.empty()));
        CHECK(std::ranges::equal(batch.labels, expected.labels));
        for (size_t i = 0; i < 4; ++i) {
          const auto image = expected.images.subspan(i * 3 * 16 * 16, 3 * 16 * 16);
          if (batch.labels[i] < 0) {
            CHECK((batch.pictures[i].bytes.empty() && encoded.pictures[i].bytes.empty()));
            ++padding;
            continue;
          }
          CHECK(same_bits(planes_of(batch.pictures[i], batch.shades, 16), image));
          REQUIRE(encoded.pictures[i].file);
          const Image decoded = decode(encoded.pictures[i].bytes);
          CHECK(same_bits(planes_of(encoded.pictures[i], encoded.shades, 16, decoded.rgb.data()), image));
        }
      }
    CHECK(padding == (training ? 0 : 3));
  }
  options.input = DeviceInput::pictures;
  options.training = false;
  options.workers = options.threads = 1;
  options.batch = 21;
  options.local_workers = {0};
  const auto loader = make_loader(set, options);
  for (int64_t step = 0; step < 8; ++step) loader->next(step, 0);  // every slot has had every image
  testing::count_allocations(true);
  for (int64_t step = 8; step < 12; ++step) loader->next(step, 0);
  testing::count_allocations(false);
  CHECK(testing::counted_allocations() == 0);
}

}  // namespace convoy

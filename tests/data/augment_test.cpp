#include "data/augment.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

Random sample(uint64_t number) { return Random(7, stream_of("augment", 3, number)); }

std::vector<float> trained(const Image& image, const Transform& t, uint64_t number) {
  std::vector<float> chw(3 * static_cast<size_t>(t.input) * t.input, std::numeric_limits<float>::quiet_NaN());
  Scratch scratch;
  prepare_train(image, t, sample(number), chw, scratch);
  return chw;
}

std::vector<float> held_out(const Image& image, const Transform& t) {
  std::vector<float> chw(3 * static_cast<size_t>(t.input) * t.input, std::numeric_limits<float>::quiet_NaN());
  Scratch scratch;
  prepare_held_out(image, t, chw, scratch);
  return chw;
}

std::vector<float> flipped(const std::vector<float>& chw, size_t width) {
  auto copy = chw;
  for (size_t at = 0; at < copy.size(); at += width)
    std::reverse(copy.begin() + at, copy.begin() + at + width);
  return copy;
}

// The mean of many draws of a variable with this variance must lie within five standard errors.
void check_mean(const std::vector<double>& draws, double mean, double variance) {
  double sum = 0;
  for (const double draw : draws) sum += draw;
  const double count = static_cast<double>(draws.size());
  CHECK(std::abs(sum / count - mean) < 5 * std::sqrt(variance / count));
}

}  // namespace

TEST_CASE("random-resized-crop draws area, log ratio, place and mirror as its formula says") {
  Transform t;
  t.max_area = 0.5;  // so that no draw is rejected on a square image
  std::vector<double> areas, ratios, squares, lefts, tops, mirrors;
  for (uint64_t i = 0; i < 20000; ++i) {
    const View view = train_view(4000, 4000, t, sample(i));
    const Crop& c = view.crop;
    areas.push_back(static_cast<double>(c.width) * c.height / 16e6);
    ratios.push_back(std::log(static_cast<double>(c.width) / c.height));
    squares.push_back(ratios.back() * ratios.back());
    lefts.push_back(static_cast<double>(c.left) / (4000 - c.width));
    tops.push_back(static_cast<double>(c.top) / (4000 - c.height));
    mirrors.push_back(view.mirror);
    REQUIRE((c.left >= 0 && c.top >= 0 && c.left + c.width <= 4000 && c.top + c.height <= 4000));
    REQUIRE((view.width == 224 && view.height == 224 && view.window == Crop{0, 0, 224, 224}));
  }
  const double reach = std::log(4.0 / 3), spread = 0.5 - 0.08;
  check_mean(areas, 0.29, spread * spread / 12);
  check_mean(ratios, 0.0, reach * reach / 3);
  check_mean(squares, reach * reach / 3, std::pow(reach, 4) * (1.0 / 5 - 1.0 / 9));
  check_mean(lefts, 0.5, 1.0 / 12);
  check_mean(tops, 0.5, 1.0 / 12);
  check_mean(mirrors, 0.5, 0.25);
  CHECK(*std::min_element(areas.begin(), areas.end()) == Approx(0.08).margin(0.001));
  CHECK(*std::max_element(areas.begin(), areas.end()) == Approx(0.5).margin(0.001));
}

TEST_CASE("an image too long for any draw gets torchvision's central crop") {
  Transform t;
  for (uint64_t i = 0; i < 20; ++i) {
    CHECK(train_view(1000, 1, t, sample(i)).crop == Crop{499, 0, 1, 1});     // round(1 * 4/3), (1000 - 1) / 2
    CHECK(train_view(1, 1000, t, sample(i)).crop == Crop{0, 499, 1, 1});     // round(1 / (3/4))
    CHECK(train_view(2000, 20, t, sample(i)).crop == Crop{986, 0, 27, 20});  // round(26.67), (2000 - 27) / 2
  }
  t.min_ratio = t.max_ratio = 1;
  t.min_area = 1;
  CHECK(train_view(30, 20, t, sample(0)).crop == Crop{5, 0, 20, 20});
}

TEST_CASE("held-out views truncate the long side and round halves to even") {
  const Transform t;
  const View wide = held_out_view(500, 375, t);  // 256 * 500 / 375 = 341.3; (341 - 224) / 2 = 58.5
  CHECK((wide.width == 341 && wide.height == 256 && !wide.mirror));
  CHECK(wide.window == Crop{58, 16, 224, 224});
  const View tall = held_out_view(375, 503, t);  // 343.4; 59.5
  CHECK((tall.width == 256 && tall.height == 343));
  CHECK(tall.window == Crop{16, 60, 224, 224});
  CHECK(held_out_view(1000, 1, t).window == Crop{127888, 16, 224, 224});
  Transform squashed;
  squashed.squash = true;
  squashed.input = 227;
  const View square = held_out_view(500, 375, squashed);
  CHECK((square.width == 256 && square.height == 256));
  CHECK(square.window == Crop{14, 14, 227, 227});  // 14.5
}

TEST_CASE("random-crop reaches every place of the resized image, and both mirrors") {
  Transform t;
  t.train = "random-crop";
  t.squash = true;
  t.resize = 20;
  t.input = 17;
  std::vector<int> seen(2 * 4 * 4);
  for (uint64_t i = 0; i < 3200; ++i) {
    const View view = train_view(50, 90, t, sample(i));
    CHECK(view.crop == Crop{0, 0, 50, 90});
    ++seen[(view.mirror ? 16 : 0) + view.window.top * 4 + view.window.left];
  }
  for (const int count : seen) CHECK((count > 50 && count < 150));  // 100 wanted, deviation 10
  t.squash = false;
  const View tall = train_view(50, 90, t, sample(0));
  CHECK((tall.width == 20 && tall.height == 36));
}

TEST_CASE("the same sample gives the same bits, another sample another view") {
  const Image image = fixtures::pattern(90, 70);
  Transform t;
  t.input = 32;
  t.resize = 36;
  for (const char* train : {"random-resized-crop", "random-crop"}) {
    t.train = train;
    CHECK(trained(image, t, 5) == trained(image, t, 5));
    CHECK(trained(image, t, 5) != trained(image, t, 6));
  }
}

TEST_CASE("a mirrored view is the view, mirrored; without mirror it never is") {
  const Image image = fixtures::pattern(64, 48);
  Transform t;
  t.train = "random-crop";
  t.squash = true;
  t.input = t.resize = 30;  // one place only
  const auto straight = held_out(image, t);
  int mirrored = 0;
  for (uint64_t i = 0; i < 40; ++i) {
    const bool mirror = train_view(64, 48, t, sample(i)).mirror;
    mirrored += mirror;
    CHECK(trained(image, t, i) == (mirror ? flipped(straight, 30) : straight));
  }
  CHECK((mirrored > 5 && mirrored < 35));
  t.mirror = false;
  for (uint64_t i = 0; i < 40; ++i) CHECK(trained(image, t, i) == straight);
  t.mirror = true;
  t.train = "center";
  for (uint64_t i = 0; i < 40; ++i) CHECK(trained(image, t, i) == straight);
}

TEST_CASE("values are torchvision's, Caffe's or whatever mean, std and order say") {
  Image image{4, 4, {}};
  for (int i = 0; i < 16; ++i) image.rgb.insert(image.rgb.end(), {10, 128, 255});
  Transform t;
  t.input = t.resize = 4;
  auto chw = held_out(image, t);
  CHECK(chw[0] == (10 / 255.0f - 0.485f) / 0.229f);
  CHECK(chw[16] == (128 / 255.0f - 0.456f) / 0.224f);
  CHECK(chw[47] == (255 / 255.0f - 0.406f) / 0.225f);
  t.divisor = 1;
  t.bgr = true;
  t.mean = {104, 117, 123};
  t.std = {256, 256, 256};
  chw = held_out(image, t);
  CHECK(chw[0] == (255 - 104) / 256.0f);
  CHECK(chw[16] == (128 - 117) / 256.0f);
  CHECK(chw[32] == (10 - 123) / 256.0f);
}

TEST_CASE("transforms that make no sense are refused by the name of the field") {
  using Catch::Matchers::Contains;
  const auto broken = [](auto change) {
    Transform t;
    change(t);
    check(t);
  };
  CHECK_NOTHROW(check(Transform{}));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.train = "crop"; }), Contains("data.train_crop"));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.input = 300; }), Contains("data.resize"));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.min_area = 0; }), Contains("min_area"));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.max_ratio = 0.5; }), Contains("min_ratio"));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.std[1] = 0; }), Contains("data.std"));
  CHECK_THROWS_WITH(broken([](Transform& t) { t.mean[2] = NAN; }), Contains("data.mean"));
}

}  // namespace convoy

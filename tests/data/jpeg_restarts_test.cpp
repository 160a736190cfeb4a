// What is cut out of a JPEG with restart markers, or written anew with them, has the pixels of the whole: noise, where every
// sample differs from its neighbours, at every sampling, and the real images. Anything unusual takes the ordinary road.
#include "data/jpeg_restarts.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/random.h"
#include "data/jpeg_rewrite.h"
#include "decode_fixtures.h"
#include "part_fixtures.h"

namespace convoy {
namespace {

using fixtures::Bytes;
using fixtures::JpegStyle;
using fixtures::noise;
using fixtures::random_part;
using fixtures::same;
using fixtures::same_part;
using fixtures::samplings;
using fixtures::text;

}  // namespace

TEST_CASE("what is cut out at restart markers has the pixels of the whole") {
  Random random(8, stream_of("cut out"));
  int64_t cut = 0, all = 0;
  for (const auto& [components, across, down] : samplings)
    for (const auto& [width, height] :
         {std::pair(1, 1), {17, 9}, {64, 64}, {131, 200}, {257, 98}, {200, 131}}) {
      const int mcus = (width + 8 * across - 1) / (8 * across);
      for (int interval = 1; interval <= mcus; ++interval) {
        if (mcus % interval != 0 || (interval > 4 && interval < mcus)) continue;
        const Bytes bytes =
            noise(width, height, components,
                  {.across = across, .down = down, .restart = static_cast<unsigned>(interval)}, random);
        const Image whole = decode(bytes);
        const auto frame = read_restart_frame(bytes);
        REQUIRE(frame);
        CHECK((frame->width == width && frame->height == height && frame->interval == interval));
        for (int i = 0; i < 8; ++i) {
          const Crop part = i == 0 ? Crop{0, 0, width, height} : random_part(width, height, random);
          INFO(components << " components, factors " << across << " x " << down << ", " << width << " x "
                          << height << ", a marker every " << interval << ": " << text(part));
          Bytes smaller;
          const auto place = cut_out(*frame, bytes, part, smaller);
          REQUIRE(place);
          DecodeReport report;
          const Image piece = decode(smaller, &report);
          CHECK(report.warnings == 0);
          REQUIRE((piece.width == place->width && piece.height == place->height));
          REQUIRE(same(whole, piece, *place, part));
          REQUIRE(same_part(whole, bytes, part));
          cut += int64_t{place->width} * place->height;
          all += int64_t{width} * height;
        }
      }
    }
  CHECK(cut < all * 7 / 10);  // or nothing would be gained
}

TEST_CASE("what has no usable restart markers takes the ordinary road") {
  Random random(9, stream_of("no cut"));
  const auto frame = [&](const JpegStyle& style) {
    return read_restart_frame(noise(96, 64, 3, style, random));
  };
  CHECK(!frame({}));
  CHECK(!frame({.restart = 4}));  // of 6 in a row
  CHECK(!frame({.progressive = true, .restart = 3}));
  CHECK(!frame({.arithmetic = true, .restart = 3}));
  CHECK(frame({.restart = 3}));
  CHECK(!read_restart_frame(Bytes(2)));
}

TEST_CASE("damage between restart markers is seen as ever") {
  // Each byte of the scan in turn is changed, or the file ends there: the part is what it is in the whole.
  Random random(10, stream_of("damaged restarts"));
  const Bytes good = noise(96, 48, 3, {.restart = 2}, random);
  const size_t scan = read_restart_frame(good)->scan;
  int seen = 0;
  for (size_t at = scan; at < good.size(); at += 1 + random.next_below(40)) {
    Bytes bad = good;
    if (random.next_below(4) == 0)
      bad.resize(at);
    else
      bad[at] = std::byte(random.next_below(3) == 0 ? 0xff : random.next_below(256));
    const Crop part = random_part(96, 48, random);
    Image whole;
    try {
      whole = decode(bad);
    } catch (const Error&) {
      continue;
    }
    INFO("byte " << at << " of " << good.size() << ": " << text(part));
    REQUIRE(same_part(whole, bad, part));
    ++seen;
  }
  CHECK(seen > 100);
}

TEST_CASE("a JPEG written anew with restart markers has the same pixels") {
  Random random(11, stream_of("rewritten"));
  for (const auto& [components, across, down] : samplings)
    for (const bool progressive : {false, true})
      for (const auto& [width, height] : {std::pair(1, 1), {96, 50}, {131, 200}, {257, 98}}) {
        INFO(components << " components, factors " << across << " x " << down << ", " << width << " x "
                        << height << ", progressive " << progressive);
        const Bytes bytes = noise(width, height, components,
                                  {.progressive = progressive, .across = across, .down = down}, random);
        const Image whole = decode(bytes);
        const Bytes rewritten = with_restarts(bytes, &whole);
        REQUIRE(!rewritten.empty());
        CHECK(decode(rewritten).rgb == whole.rgb);
        CHECK(read_restart_frame(rewritten));
        CHECK(with_restarts(bytes, &whole) == rewritten);
        const auto frame = read_restart_frame(rewritten);
        CHECK(with_restarts(rewritten, &whole).empty() == (frame->interval * frame->mcu_width <= 128));
        for (int i = 0; i < 6; ++i) REQUIRE(same_part(whole, rewritten, random_part(width, height, random)));
      }
}

TEST_CASE("bytes are left alone where pixels would change, that are no JPEG, or that are damaged") {
  Random random(12, stream_of("left alone"));
  const Image source = fixtures::pattern(40, 30);
  CHECK(with_restarts(fixtures::png(40, 30, source.rgb), &source).empty());
  CHECK(with_restarts({}, &source).empty());
  Bytes bytes = noise(96, 64, 3, {}, random);
  Image whole = decode(bytes);
  ++whole.rgb[1000];
  CHECK(with_restarts(bytes, &whole).empty());
  bytes.resize(bytes.size() / 2);
  whole = decode(bytes);
  CHECK(with_restarts(bytes, &whole).empty());
  CHECK(with_restarts(noise(96, 64, 3, {.restart = 3}, random), &whole).empty());
  const Bytes arithmetic = noise(96, 64, 3, {.arithmetic = true}, random);
  whole = decode(arithmetic);
  CHECK(read_restart_frame(with_restarts(arithmetic, &whole)));
}

TEST_CASE("real images written anew have the same pixels, and so have their parts") {
  fixtures::check_real_images("real images with restart markers", Random(13, stream_of("real restarts")), 3,
                              with_restarts);
}

}  // namespace convoy

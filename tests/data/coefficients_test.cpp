// JPEGs written anew as their coefficients: what libjpeg makes of the JPEG is what comes out, whole and in part, of noise at
// every sampling and of the real images. Blocks come back as they went in; damaged records end in an error, or in pixels.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/error.h"
#include "base/random.h"
#include "data/coefficient_record.h"
#include "data/jpeg_coefficients.h"
#include "part_fixtures.h"

namespace convoy {
namespace {

using fixtures::below;
using fixtures::Bytes;
using fixtures::noise;
using fixtures::random_part;
using fixtures::same_part;

using Block = std::array<int16_t, block_size>;

// A grey record of one row of these blocks.
Bytes record_of(const std::vector<Block>& blocks) {
  CoefficientRecord record;
  record.width = block_side * static_cast<int>(blocks.size());
  record.height = block_side;
  record.components = 1;
  record.component[0].quantizers.fill(1);
  lay_out_record(record);
  Bytes bytes(record.header_bytes + blocks.size() * most_block_bytes);
  write_record_header(record, bytes);
  const auto begin = static_cast<uint32_t>(record.header_bytes);
  std::memcpy(bytes.data() + record.component[0].rows_at, &begin, sizeof begin);
  size_t size = record.header_bytes;
  for (const Block& block : blocks) size += put_block(block.data(), bytes.data() + size);
  bytes.resize(size);
  bytes.resize(size + record_tail);
  return bytes;
}

std::vector<Block> blocks_of(const Bytes& bytes, int first, int count) {
  std::vector<Block> blocks(static_cast<size_t>(count));
  read_blocks(bytes, read_record_header(bytes).component[0], 0, first, count, blocks.data()->data());
  return blocks;
}

bool is_usual(int components, int across, int down) { return components < 4 && across <= 2 && down <= 2; }

}  // namespace

TEST_CASE("blocks of coefficients come back as they went in") {
  Random random(21, stream_of("coefficient blocks"));
  std::vector<Block> blocks;
  for (const int16_t value : {0, 1, -1, 127, 128, -128, -129, 2047, -2048, 16383, -16384}) {
    blocks.emplace_back().fill(value);
    blocks.emplace_back().fill(0);
    blocks.back()[0] = value;
    blocks.emplace_back().fill(0);
    blocks.back()[63] = value;
  }
  for (int i = 0; i < 300; ++i) {
    Block& block = blocks.emplace_back();
    block.fill(0);
    const int count = below(random, 65), widest = 1 << below(random, 11);
    for (int k = 0; k < count; ++k)
      block[static_cast<size_t>(below(random, 64))] =
          static_cast<int16_t>(below(random, 2 * widest) - widest);
  }
  const Bytes bytes = record_of(blocks);
  const int count = static_cast<int>(blocks.size());
  CHECK(blocks_of(bytes, 0, count) == blocks);
  for (int i = 0; i < 50; ++i) {
    const int first = below(random, count), some = 1 + below(random, count - first);
    REQUIRE(blocks_of(bytes, first, some) ==
            std::vector<Block>(blocks.begin() + first, blocks.begin() + first + some));
  }
}

TEST_CASE("coefficients have the pixels of their JPEG, whole and in part") {
  Random random(22, stream_of("coefficients"));
  for (const auto& [components, across, down] : fixtures::samplings)
    for (const bool progressive : {false, true})
      for (const int quality : {30, 90, 100})
        for (const auto& [width, height] :
             {std::pair(1, 1), {17, 9}, {96, 50}, {131, 200}, {257, 98}, {16, 16}}) {
          INFO(components << " components, factors " << across << " x " << down << ", " << width << " x "
                          << height << ", progressive " << progressive << ", quality " << quality);
          const Bytes bytes =
              noise(width, height, components,
                    {.quality = quality, .progressive = progressive, .across = across, .down = down}, random);
          const Image whole = decode(bytes);
          const Bytes record = as_coefficients(bytes, &whole);
          REQUIRE(!record.empty() == is_usual(components, across, down));
          if (record.empty()) continue;
          CHECK(is_coefficient_record(record));
          CHECK(decode(record).rgb == whole.rgb);
          CHECK(as_coefficients(bytes, nullptr) == record);
          CHECK(as_coefficients(record, &whole).empty());
          CHECK(!plain_jpeg(record));
          for (int i = 0; i < 12; ++i) {
            const Crop part = random_part(width, height, random);
            INFO(fixtures::text(part));
            REQUIRE(same_part(whole, record, part));
          }
        }
}

TEST_CASE("narrow chroma, which libjpeg upsamples in another way, is left alone or has the same pixels") {
  Random random(23, stream_of("narrow"));
  int written = 0;
  for (const int across : {1, 2})
    for (const int down : {1, 2})
      for (int width = 1; width <= 9; ++width)
        for (int height = 1; height <= 9; ++height) {
          const Bytes bytes = noise(width, height, 3, {.across = across, .down = down}, random);
          const Image whole = decode(bytes);
          const Bytes record = as_coefficients(bytes, &whole);
          written += !record.empty();
          if (!record.empty()) CHECK(decode(record).rgb == whole.rgb);
        }
  CHECK(written > 4 * 81 * 3 / 4);
}

TEST_CASE("no coefficients where pixels would change, of what is no JPEG, or of a damaged one") {
  Random random(24, stream_of("left alone"));
  const Image source = fixtures::pattern(40, 30);
  CHECK(as_coefficients(fixtures::png(40, 30, source.rgb), &source).empty());
  CHECK(as_coefficients({}, &source).empty());
  Bytes bytes = noise(96, 64, 3, {}, random);
  Image whole = decode(bytes);
  ++whole.rgb[1000];
  CHECK(as_coefficients(bytes, &whole).empty());
  --whole.rgb[1000];
  CHECK(!as_coefficients(bytes, &whole).empty());
  bytes.resize(bytes.size() / 2);
  CHECK(as_coefficients(bytes, nullptr).empty());
  const Bytes arithmetic = noise(96, 64, 3, {.arithmetic = true}, random);
  whole = decode(arithmetic);
  CHECK(decode(as_coefficients(arithmetic, &whole)).rgb == whole.rgb);
}

TEST_CASE("a record of coefficients that is damaged ends in an error or in pixels") {
  Random random(25, stream_of("damaged coefficients"));
  const Bytes good =
      as_coefficients(noise(40, 24, 3, {.quality = 40, .across = 2, .down = 2}, random), nullptr);
  REQUIRE(good.size() > 1000);
  Image image;
  const auto ends_well = [&](const Bytes& bytes) {
    const std::vector<std::byte> alone(bytes);  // as long as it is: sanitizers see what lies behind
    try {
      decode(alone, image);
      decode_part(
          alone,
          [](int width, int height) {
            return Crop{width / 2, height / 2, (width + 1) / 2, (height + 1) / 2};
          },
          image);
      return true;
    } catch (const Error& error) {
      CHECK_FALSE(std::string(error.what()).empty());
      return false;
    }
  };
  CHECK(ends_well(good));
  for (size_t size = 0; size < good.size(); size += size < 500 ? 1 : 7)
    CHECK_FALSE(ends_well(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at)
    for (const int with : {0x01, 0x80, 0xff}) {
      Bytes bad = good;
      bad[at] ^= std::byte(with);
      refused += !ends_well(bad);
    }
  CHECK(refused > 24);  // more than the first eight bytes'
}

TEST_CASE("what a damaged record of coefficients is refused for") {
  Block dense;
  dense.fill(1000);
  const Bytes good = record_of({dense, dense, dense});
  const CoefficientComponent grey = read_record_header(good).component[0];
  std::array<int16_t, size_t{3} * block_size> blocks;
  const auto read = [&](const Bytes& bytes, int first, int count) {
    read_blocks(bytes, grey, 0, first, count, blocks.data());
  };
  const auto with = [&](size_t at, uint64_t value, size_t size) {
    Bytes bad = good;
    std::memcpy(bad.data() + at, &value, size);
    return bad;
  };
  CHECK_NOTHROW(read(good, 0, 3));
  const auto beyond = Catch::Contains("row 0 of the blocks goes beyond the record");
  for (const uint64_t begin :
       {uint64_t{0xffffffff}, good.size(), good.size() - record_tail + 1, good.size() - record_tail})
    CHECK_THROWS_WITH(read(with(grey.rows_at, begin, 4), 0, 1), beyond);
  Bytes cut = good;  // the last block lacks its last byte
  cut.erase(cut.end() - record_tail - 1);
  CHECK_NOTHROW(read(cut, 0, 2));
  CHECK_THROWS_WITH(read(cut, 0, 3), beyond);
  CHECK_THROWS_WITH(read(cut, 2, 1), beyond);
  cut.resize(cut.size() - 137);  // nor anything of it
  cut.resize(cut.size() - 50);
  CHECK_THROWS_WITH(read(cut, 2, 1), beyond);  // what is passed over ends beyond, too

  CHECK_THROWS_WITH(decode(with(4, 2, 1)), Catch::Contains("version 2") && Catch::Contains("use the convoy"));
  CHECK_THROWS_WITH(decode(with(5, 2, 1)), Catch::Contains("2 components"));
  CHECK_THROWS_WITH(decode(with(6, 0, 1)), Catch::Contains("damaged"));
  CHECK_THROWS_WITH(decode(with(8, 0xffffffff, 4)), Catch::Contains("cut short"));  // 65,535 x 65,535 pixels
  CHECK_THROWS_WITH(decode(with(8, 0, 2)), Catch::Contains("nothing to see"));
}

TEST_CASE("real images as coefficients have the same pixels, and so have their parts") {
  fixtures::check_real_images("real images as coefficients", Random(26, stream_of("real coefficients")), 5,
                              as_coefficients);
}

}  // namespace convoy

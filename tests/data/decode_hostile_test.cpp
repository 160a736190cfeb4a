// Any bytes must end in an image of the size that was announced or in an Error. What a sanitizer would see is the point:
// tests/run.sh runs this rung under AddressSanitizer and UBSan too.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <new>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "data/decode.h"
#include "decode_fixtures.h"
#include "limited_memory.h"

namespace convoy {
namespace {

using fixtures::Bytes;

struct Ends {
  int images = 0, errors = 0;
};

void decode_any(const Bytes& bytes, Image& image, Ends& ends) {
  DecodeReport report;
  try {
    decode(bytes, image, &report);
    if (image.rgb.size() != static_cast<size_t>(image.width) * image.height * 3)
      FAIL("a buffer of another size");
    ++ends.images;
  } catch (const Error& error) {
    if (std::string(error.what()).empty()) FAIL("an error without a reason");
    ++ends.errors;
  }
}

std::vector<Bytes> victims() {
  const Image small = fixtures::pattern(21, 14);
  std::vector<uint8_t> inks(small.rgb);
  inks.resize(21 * 14 * 4, 90);
  return {fixtures::jpeg(21, 14, 3, small.rgb),
          fixtures::jpeg(21, 14, 3, small.rgb, {80, true}),
          fixtures::jpeg(21, 14, 3, small.rgb, {80, true, true}),
          fixtures::jpeg(21, 14, 4, inks),
          fixtures::png(21, 14, small.rgb),
          fixtures::png(21, 14, small.rgb, {8, 2, true})};
}

}  // namespace

TEST_CASE("every prefix of a JPEG and of a PNG ends cleanly") {
  Image image;
  for (const Bytes& whole : victims()) {
    Ends ends;
    for (size_t length = 0; length < whole.size(); ++length)
      decode_any(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)), image, ends);
    CHECK(ends.errors > 0);
    CHECK(ends.images + ends.errors == static_cast<int>(whole.size()));
  }
}

TEST_CASE("20,000 random changes of one to three bytes end cleanly") {
  const std::vector<Bytes> wholes = victims();
  Image image;
  Ends ends;
  Random random(2024, stream_of("hostile"));
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = wholes[static_cast<size_t>(i) % wholes.size()];
    for (uint32_t k = random.next_below(3) + 1; k > 0; --k)
      bytes[random.next_below(static_cast<uint32_t>(bytes.size()))] ^=
          static_cast<std::byte>(1 + random.next_below(255));
    decode_any(bytes, image, ends);
  }
  CHECK(ends.images > 1000);
  CHECK(ends.errors > 1000);
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory no limit leaves room for
TEST_CASE("memory that runs out in libjpeg is no fault of the image") {
  const int side = 3000;
  const Image large = fixtures::pattern(side, side);
  const Bytes encoded = fixtures::jpeg(side, side, 3, large.rgb, {80, true});
  Image image;
  image.rgb.resize(large.rgb.size());  // ours is there; the coefficients of a progressive image take 27 MB more
  fixtures::succeeds_within(rlim_t{1} << 20, [&] {
    void* volatile block = &image;  // what earlier cases have freed must not be left to it either
    while (block != nullptr) block = std::malloc(size_t{1} << 20);
    try {
      decode(encoded, image);
    } catch (const Error&) {
      return 3;
    } catch (const std::bad_alloc&) {
      return 0;
    }
    return 1;
  });
}
#endif

}  // namespace convoy

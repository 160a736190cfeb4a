#include "data/manifest.h"

#include <catch2/catch.hpp>

#include "base/digest.h"
#include "base/error.h"

namespace convoy {
namespace {

// dataset.json with `was` written as `becomes`, and a digest that fits.
std::string changed(const std::string& was, const std::string& becomes) {
  Manifest manifest;
  manifest.samples = 7;
  manifest.image_bytes = 4321;
  manifest.seed = UINT64_MAX;
  manifest.classes.wnids = manifest.classes.names = {"n1"};
  manifest.histogram = {7};
  manifest.shards = {{"shard-00000-of-00001.h5", 9876, 7, std::string(32, 'a')}};
  std::string text = manifest_text(manifest);
  const size_t at = text.find(was);
  REQUIRE(at != std::string::npos);
  text.replace(at, was.size(), becomes);
  const size_t digits = text.rfind("\": \"") + 4;
  text.replace(digits, 32, std::string(32, '0'));
  Digest digest;
  digest.add(text);
  return text.replace(digits, 32, digest.hex());
}

}  // namespace

TEST_CASE("dataset.json: what it counts are whole numbers in range, or it is refused by name") {
  using Catch::Matchers::Contains;
  const Manifest whole = parse_manifest(changed("\"samples\": 7", "\"samples\": 7"), "set/dataset.json");
  CHECK((whole.samples == 7 && whole.seed == UINT64_MAX && whole.shards.at(0).bytes == 9876));
  const struct {
    const char *was, *becomes, *key;
  } wrong[] = {{"\"samples\": 7", "\"samples\": 1e35", "samples is 1e+35"},
               {"\"samples\": 7", "\"samples\": 3.5", "samples is 3.5"},
               {"\"samples\": 7", "\"samples\": \"7\"", "samples is \"7\""},
               {"\"samples\": 7", "\"samples\": 9223372036854775808", "samples is 9223372036854775808"},
               {"\"image_bytes\": 4321", "\"image_bytes\": -1", "image_bytes is -1"},
               {"\"bytes\": 9876", "\"bytes\": 1e300", "bytes is 1e+300"},
               {"18446744073709551615", "18446744073709551616", "seed is 1.8446744073709552e+19"}};
  for (const auto& [was, becomes, key] : wrong)
    CHECK_THROWS_WITH(parse_manifest(changed(was, becomes), "set/dataset.json"),
                      Contains("set/dataset.json") && Contains(key) && Contains("no whole number in range"));
}

}  // namespace convoy

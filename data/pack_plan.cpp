#include "data/pack_plan.h"

#include <algorithm>

#include "base/digest.h"
#include "base/error.h"
#include "base/random.h"
#include "data/coefficient_record.h"

namespace convoy {
namespace {

constexpr uint64_t shard_bytes = uint64_t{256} << 20;
constexpr int most_shards = 512, least_shards = 8;
constexpr size_t small_set = 1000;

int automatic_shards(const Source& source) {
  uint64_t bytes = 0;
  for (const auto& image : source.images) bytes += image.length;
  const uint64_t by_bytes = std::min<uint64_t>(most_shards, (bytes + shard_bytes - 1) / shard_bytes);
  const int least = source.images.size() < small_set ? 1 : least_shards;
  return std::max(least, static_cast<int>(by_bytes));
}

}  // namespace

PackPlan plan_pack(const Source& source, const PackOptions& options) {
  const uint64_t seed = options.seed;
  const int shards = options.shards;
  PackPlan plan;
  plan.seed = seed;
  plan.shards = shards == 0 ? automatic_shards(source) : shards;
  require(plan.shards > 0 && static_cast<size_t>(plan.shards) <= source.images.size() && plan.shards <= 99999,
          Exit::usage, "--shards {}: give a number from 1 to {}, the number of images", shards,
          std::min<size_t>(99999, source.images.size()));
  plan.order = permutation(static_cast<uint32_t>(source.images.size()), seed, stream_of("pack"));
  Digest digest;
  digest.add(fmt::format("convoy.pack/1 {} {} {}\n", seed, plan.shards, source.classes.size()));
  if (options.jpegs != Jpegs::kept) digest.add(fmt::format("{}\n", name_of(options.jpegs)));
  if (options.jpegs == Jpegs::coefficients) digest.add(fmt::format("version {}\n", coefficient_version));
  for (size_t i = 0; i < source.classes.wnids.size(); ++i)
    digest.add(source.classes.wnids[i] + "\t" + source.classes.names[i] + "\n");
  for (const auto& image : source.images) {
    digest.add(fmt::format("{}\t{}\t{}\n", image.name, image.label, image.length));
    plan.name_width = std::max(plan.name_width, image.name.size());
  }
  plan.digest = digest.hex();
  return plan;
}

}  // namespace convoy

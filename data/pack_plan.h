// Which image goes where: all of it a function of (source, seed, shard count), never of ranks or threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/source.h"

namespace convoy {

struct PackPlan {
  int shards = 1;
  uint64_t seed = 0;
  std::vector<uint32_t> order;  // images in the order of the dataset, shard after shard
  std::string digest;  // of seed, shards, classes, what becomes of JPEGs and every image's name, label and length
  size_t name_width = 1;  // of the longest name
  size_t begin(int shard) const {
    return order.size() * static_cast<size_t>(shard) / static_cast<size_t>(shards);
  }
};

PackPlan plan_pack(const Source& source, const PackOptions& options);

}  // namespace convoy

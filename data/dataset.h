// A packed dataset, opened and checked: an index of 24 bytes a sample in memory, read by rank 0 and broadcast, so that a
// thousand ranks do not storm the file system with metadata. Samples are numbered shard after shard. Images are read
// with pread by any number of threads, and every read is checked against the record's hash, so that damage during a run
// is an error that names shard, record, image and offset, never a wrong gradient. Memory belongs to the Dataset;
// nothing is asynchronous.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/file_cache.h"
#include "data/manifest.h"
#include "data/shard.h"
#include "port/communicator.h"

namespace convoy {

class Dataset {
 public:
  // Collective. Shards that are missing, truncated or have a damaged index are refused here.
  static Dataset open(const std::filesystem::path& folder, Communicator& comm);

  int64_t samples() const { return static_cast<int64_t>(labels_.size()); }
  int classes() const { return manifest_.classes.size(); }
  // Of classes, images and their order.
  const std::string& fingerprint() const { return manifest_.fingerprint; }
  const std::vector<std::string>& wnids() const { return manifest_.classes.wnids; }
  const std::vector<std::string>& class_names() const { return manifest_.classes.names; }
  const Manifest& manifest() const { return manifest_; }
  const std::filesystem::path& folder() const { return folder_; }

  int32_t label(int64_t sample) const { return labels_[static_cast<size_t>(sample)]; }
  // Decoded with warnings when it was packed.
  bool damaged(int64_t sample) const { return std::binary_search(damaged_.begin(), damaged_.end(), sample); }
  uint32_t length(int64_t sample) const { return lengths_[static_cast<size_t>(sample)]; }
  void read(int64_t sample, std::vector<std::byte>& encoded) const;  // throws, naming the place
  std::string name(int64_t sample) const;  // "n01440764/n01440764_10026.JPEG", from the shard
  // "DIR/shard-00000-of-00008.h5, record 12 (n01440764/n01440764_10026.JPEG) at offset 1054321", for messages.
  std::string where(int64_t sample) const;

 private:
  Dataset() = default;
  size_t shard_of(int64_t sample) const;

  std::filesystem::path folder_;
  Manifest manifest_;
  std::vector<int64_t> first_;        // first sample of each shard, and the count at the end
  std::vector<ShardLayout> layouts_;  // of each shard
  std::vector<uint64_t> offsets_;     // into the shard's file
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> lengths_;
  std::vector<int32_t> labels_;
  std::vector<int64_t> damaged_;  // samples, ascending: few
  std::unique_ptr<FileCache> files_;
};

// Refuses a pair that cannot belong together: other classes or another order of them, or a set of one class.
void check_pair(const Dataset& train, const Dataset& held_out);

}  // namespace convoy

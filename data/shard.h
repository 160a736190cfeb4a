// One shard: encoded images behind one another in an HDF5 file, with an index of fixed-size columns (FORMAT.md). A
// writer lays the file out first and then takes images in any order from many threads; nothing may be read before
// finish(). Reading a shard's index checks every row against its own hash, so damage is found before it is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/source_labels.h"

namespace convoy {

struct ShardRow {
  uint64_t offset = 0;  // bytes into the dataset `images`
  uint32_t length = 0;
  int32_t label = 0;
  uint16_t height = 0, width = 0;
  uint32_t warnings = 0;  // of the decoder, when it was packed
  uint64_t xxh3 = 0;      // XXH3-64 of the encoded bytes
  std::string name;
  uint64_t digest() const;  // XXH3-64 of all of the above: the column row_xxh3
};

struct ShardHeader {
  uint64_t seed = 0;
  int shard = 0, shards = 1;
  std::string plan;  // digest of all that decides what goes into which shard
  ClassTable classes;
  size_t name_width = 1;
  std::vector<std::string> quarantine;  // lines "name<tab>where<tab>reason" of images left out of this shard
};

struct ShardLayout {
  uint64_t images = 0, names = 0;  // bytes from the file's beginning
  uint64_t name_width = 0;
};

class ShardWriter {
 public:
  ShardWriter(const std::filesystem::path& path, const ShardHeader& header, size_t rows,
              uint64_t image_bytes);
  void write_image(uint64_t offset, std::span<const std::byte> encoded);  // any thread
  void finish(const std::vector<ShardRow>& rows);

 private:
  void put(const std::string& column, const void* data, uint64_t bytes);
  struct Place {
    std::string column;
    uint64_t offset, bytes;
  };
  std::vector<Place> places_;
  ShardHeader header_;
  uint64_t images_ = 0, image_bytes_ = 0;
  File file_;
};

struct Shard {
  std::filesystem::path path;
  ShardHeader header;
  ShardLayout layout;
  uint64_t image_bytes = 0;
  std::vector<ShardRow> rows;
  std::vector<size_t> bad_rows;  // do not match their hash or point outside; only with Rows::tolerate
};

enum class Rows { check, tolerate };
Shard read_shard(const std::filesystem::path& path, Rows rows = Rows::check);

std::string shard_name(int shard, int shards);  // "shard-00003-of-00016.h5"

}  // namespace convoy

// Where packed images come from, listed without reading one: a folder root/CLASS/image, a folder of per-class tars, the
// official tar of tars, a tar with class folders, or a flat tar or folder with a label file. The list is sorted by name,
// so that the same images give the same list whatever they came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "data/file_cache.h"
#include "data/pack.h"
#include "data/source_labels.h"

namespace convoy {

struct SourceImage {
  std::string name;  // "n01440764/n01440764_10026.JPEG", or the bare file name in flat sets
  int32_t label = -1;
  int32_t archive = -1;  // index into Source::archives; -1: a file of its own, Source::root / name
  uint64_t offset = 0;   // bytes into the archive
  uint32_t length = 0;
};

struct Source {
  std::filesystem::path root;
  std::string description;  // "a tar of tars, ILSVRC2012_img_train.tar"
  std::vector<std::filesystem::path> archives;
  std::vector<SourceImage> images;  // ascending names
  ClassTable classes;
  int64_t skipped = 0;                        // folders, AppleDouble files, whatever is no image by name
  std::vector<std::string> skipped_examples;  // up to five

  std::string where(const SourceImage& image) const;  // "tiny.tar, byte 1536"; "train/n01/x.JPEG"
};

Source list_source(const PackOptions& options, const Log& log);

// For handing rank 0's list to the others.
std::string to_bytes(const Source& source);
Source source_from_bytes(const std::string& bytes);

// Reads encoded images; many threads at once.
class SourceReader {
 public:
  explicit SourceReader(const Source& source) : source_(source), archives_(source.archives) {}
  void read(const SourceImage& image, std::vector<std::byte>& into);

 private:
  const Source& source_;
  FileCache archives_;
};

}  // namespace convoy

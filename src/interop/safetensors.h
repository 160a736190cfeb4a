// safetensors, the format alone: u64 little-endian length of a JSON header, the header, then the tensors' bytes, little
// endian, C order, without holes (github.com/huggingface/safetensors, README, "Format"). A file is believed in nothing:
// lengths, offsets, shapes, types and duplicate keys are checked on opening. Where our own checksum is in the metadata (key
// "convoy_xxh3": over names, types, shapes, bytes and metadata, in sorted order, so that it outlives another program's
// rewriting), verify() reads everything and requires it. Errors are one sentence that names the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace convoy {

struct TensorEntry {
  std::string name, dtype;  // "F32", "F64", "F16", "BF16", "I64", ...
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // in the data
  int64_t elements() const;
};

using TensorMetadata = std::map<std::string, std::string>;

class Safetensors {
 public:
  explicit Safetensors(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // ascending name
  const TensorEntry* find(const std::string& name) const;               // null if it is not there
  const TensorMetadata& metadata() const { return metadata_; }
  void verify() const;
  // As f32: F16 and BF16 are exact; the F64 values that had to be rounded are counted and returned. Refuses other types.
  int64_t read(const TensorEntry& tensor, std::span<float> into) const;
  // Of everything that the file says; what "convoy_xxh3" holds.
  std::string digest() const;

 private:
  File file_;
  std::vector<TensorEntry> tensors_;
  TensorMetadata metadata_;
  uint64_t data_ = 0;  // where it begins
};

struct TensorToWrite {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// Atomic: a file of this name is whole. Tensors lie in the order given, which wider types must lead (alignment).
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       TensorMetadata metadata);

}  // namespace convoy

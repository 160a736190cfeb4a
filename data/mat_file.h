// The little of MATLAB's files (level 5, "MAT-File Format", MathWorks) that ImageNet's development kit needs: one array of
// structs by its name, with the numbers and texts in its fields. A file is believed in nothing: every length is held against
// what is there before room is made, and nothing recurses. Not read: level 4, 7.3 (HDF5), big endian. Errors are one
// sentence that names the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace convoy {

class MatStructs {
 public:
  // Throws where the file is damaged or has no array of structs of this name.
  MatStructs(const std::filesystem::path& path, const std::string& name);

  size_t size() const { return size_; }
  // Of element `i`; nothing where there is no such field, or it is no single whole number below 2^53.
  std::optional<int64_t> whole(size_t i, const std::string& field) const;
  // "" where there is no such field, or it is no text; characters beyond ASCII become '?', UTF-8 stays.
  std::string text(size_t i, const std::string& field) const;

 private:
  using Bytes = std::span<const unsigned char>;
  Bytes value(size_t i, const std::string& field) const;
  void index(Bytes matrix);

  std::filesystem::path path_;
  std::vector<unsigned char> content_;     // of the array, inflated
  std::map<std::string, size_t> columns_;  // of values_
  std::vector<Bytes> values_;              // matrices, element by element, into content_
  size_t size_ = 0;
};

}  // namespace convoy

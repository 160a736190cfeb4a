// The little of HDF5 that shards need. HDF5 lays the file out (every dataset contiguous, allocated at once, without fill
// values or times, so that equal content gives equal files) and later says where each dataset lies; all data is then
// written and read with pwrite and pread there. Calls take turns: most builds of HDF5 have one global lock or none
// (h5py#591, hdf5#6167).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace convoy {

// Little endian; text: fixed length, UTF-8, padded with zeros.
enum class ColumnType { u8, u16, u32, u64, i32, text };

struct Column {
  std::string name;
  ColumnType type;
  uint64_t rows;
  uint64_t width = 1;  // bytes of a text
};

struct Extent1D {
  ColumnType type = ColumnType::u8;
  uint64_t offset = 0, rows = 0, row_bytes = 1;  // bytes from the file's beginning; offset 0 when rows is 0
  uint64_t bytes() const { return rows * row_bytes; }
};

struct Hdf5File {
  std::map<std::string, Extent1D> columns;
  std::map<std::string, uint64_t> numbers;  // attributes of the root group
  std::map<std::string, std::string> texts;
};

// Creates `path` with the columns in this order. The last one, of bytes, begins at a multiple of 1 MiB, a common stripe of
// parallel file systems (of 4 KiB when it is smaller than that).
void create_hdf5(const std::filesystem::path& path, const std::vector<Column>& columns,
                 const std::map<std::string, uint64_t>& numbers,
                 const std::map<std::string, std::string>& texts);

// Where these datasets lie, and these attributes, as far as they are there; refuses what is not HDF5 or not laid out as
// create_hdf5 does (chunked, compressed, big endian).
Hdf5File open_hdf5(const std::filesystem::path& path, const std::vector<std::string>& columns,
                   const std::vector<std::string>& attributes);

}  // namespace convoy

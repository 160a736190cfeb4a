#include "data/shard_hdf5.h"

#include <hdf5.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little,
              "shards are little endian and read without conversion");

constexpr size_t longest_text = size_t{1}
                                << 20;  // of an attribute: more is damage, and no room is made for it

class Handle {
 public:
  Handle(hid_t id, herr_t (*closer)(hid_t)) : id_(id), close_(closer) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }
  bool close() { return close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5's state is one for the whole process, and most of its builds are not made for threads: one call at a time, even
// where several ranks are threads of one process.
std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

// Holds the library. It prints its errors on stderr unless told not to; ours carry its innermost words instead.
class Library {
 public:
  Library() {
    // A damaged file can leave HDF5 unable to tidy up at exit, which it says at length; ours are closed long before.
    H5dont_atexit();
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Library() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

 private:
  std::lock_guard<std::mutex> lock_{library_lock()};
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

herr_t keep_innermost(unsigned, const H5E_error2_t* entry, void* text) {
  if (entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

[[noreturn]] void fail_hdf5(const fs::path& path, const std::string& what) {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, &reason);
  int number = 0;
  if (const size_t at = reason.find("errno = "); at != std::string::npos)
    std::sscanf(reason.c_str() + at, "errno = %d", &number);
  if (number > 0) fail_errno(number, fmt::format("{}: cannot {}", path.string(), what));
  fail("{}: cannot {}: HDF5 says \"{}\"", path.string(), what, reason.empty() ? "no reason" : reason);
}

template <class T>
T check(T result, const fs::path& path, const std::string& what) {
  if (result < 0) fail_hdf5(path, what);
  return result;
}

Handle type_of(ColumnType type, uint64_t width) {
  hid_t id = -1;
  switch (type) {
    case ColumnType::u8:
      id = H5Tcopy(H5T_STD_U8LE);
      break;
    case ColumnType::u16:
      id = H5Tcopy(H5T_STD_U16LE);
      break;
    case ColumnType::u32:
      id = H5Tcopy(H5T_STD_U32LE);
      break;
    case ColumnType::u64:
      id = H5Tcopy(H5T_STD_U64LE);
      break;
    case ColumnType::i32:
      id = H5Tcopy(H5T_STD_I32LE);
      break;
    case ColumnType::text:
      id = H5Tcopy(H5T_C_S1);
      H5Tset_size(id, std::max<size_t>(1, width));
      H5Tset_strpad(id, H5T_STR_NULLPAD);
      H5Tset_cset(id, H5T_CSET_UTF8);
      break;
  }
  return {id, H5Tclose};
}

// Locks are refused by some parallel file systems and not needed: shards are written once (h5py#1101, hdf5#3311).
Handle access() {
  Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(list, false, true);
  H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110);
  return list;
}

void put_attribute(hid_t file, const fs::path& path, const std::string& name, const Handle& type,
                   const void* value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  check(static_cast<hid_t>(attribute), path, "create attribute " + name);
  check(H5Awrite(attribute, type, value), path, "write attribute " + name);
}

void create_column(hid_t file, const fs::path& path, const Column& column) {
  const Handle type = type_of(column.type, column.width);
  const hsize_t rows = column.rows;
  const Handle space(H5Screate_simple(1, &rows, nullptr), H5Sclose);
  const Handle options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(options, H5D_CONTIGUOUS);
  H5Pset_alloc_time(options, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(options, H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(options, false);
  const Handle dataset(H5Dcreate2(file, column.name.c_str(), type, space, H5P_DEFAULT, options, H5P_DEFAULT),
                       H5Dclose);
  check(static_cast<hid_t>(dataset), path, "create dataset " + column.name);
}

Extent1D extent_of(hid_t file, const fs::path& path, const std::string& name) {
  H5L_info_t link;
  check(H5Lget_info(file, name.c_str(), &link, H5P_DEFAULT), path, "find " + name);
  require(link.type == H5L_TYPE_HARD, "{}: {} is a link that leads elsewhere; pack again", path.string(),
          name);
  const Handle dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
  check(static_cast<hid_t>(dataset), path, "open " + name);
  const Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
  const Handle options(H5Dget_create_plist(dataset), H5Pclose);
  require(H5Sget_simple_extent_ndims(space) == 1 && H5Pget_layout(options) == H5D_CONTIGUOUS &&
              H5Pget_external_count(options) == 0,
          "{}: dataset {} is not one contiguous row: another tool has rewritten the shard; pack again",
          path.string(), name);
  Extent1D extent;
  hsize_t rows = 0;
  H5Sget_simple_extent_dims(space, &rows, nullptr);
  extent.rows = rows;
  extent.row_bytes = H5Tget_size(type);
  bool known = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
  extent.type = ColumnType::text;
  for (const auto candidate :
       {ColumnType::u8, ColumnType::u16, ColumnType::u32, ColumnType::u64, ColumnType::i32}) {
    if (H5Tequal(type, type_of(candidate, 1)) <= 0) continue;
    extent.type = candidate;
    known = true;
  }
  require(known,
          "{}: dataset {} has a type that shards do not use: another tool has rewritten it; pack again",
          path.string(), name);
  const haddr_t offset = H5Dget_offset(dataset);
  require(offset != HADDR_UNDEF || rows == 0, "{}: dataset {} has no place in the file; pack again",
          path.string(), name);
  extent.offset = rows == 0 ? 0 : offset;
  return extent;
}

// A shard's few short attributes lie in its header. What lies in a heap, without a checksum of HDF5's, 1.10 reads beyond its
// end where it is damaged.
void require_no_heap(hid_t file, const fs::path& path) {
  H5O_info_t info;
  check(H5Oget_info2(file, &info, H5O_INFO_META_SIZE), path, "look at its attributes");
  require(info.meta_size.attr.heap_size == 0,
          "{}: its attributes do not lie where shards have them: another tool has rewritten it; pack again",
          path.string());
}

void read_attribute(hid_t file, const fs::path& path, const std::string& name, Hdf5File& into) {
  const Handle attribute(H5Aopen(file, name.c_str(), H5P_DEFAULT), H5Aclose);
  check(static_cast<hid_t>(attribute), path, "open attribute " + name);
  const Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  if (H5Sget_simple_extent_npoints(space) != 1) return;
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0) {
    require(H5Tget_size(type) <= longest_text, "{}: attribute {} claims {} bytes; copy the shard again",
            path.string(), name, H5Tget_size(type));
    std::string value(H5Tget_size(type), '\0');
    check(H5Aread(attribute, type, value.data()), path, "read attribute " + name);
    into.texts[name] = value.substr(0, value.find('\0'));
  } else if (H5Tget_class(type) == H5T_INTEGER) {
    check(H5Aread(attribute, H5T_NATIVE_UINT64, &into.numbers[name]), path, "read attribute " + name);
  }
}

}  // namespace

void create_hdf5(const fs::path& path, const std::vector<Column>& columns,
                 const std::map<std::string, uint64_t>& numbers,
                 const std::map<std::string, std::string>& texts) {
  const Library library;
  const Handle options(H5Pcreate(H5P_FILE_CREATE), H5Pclose), list = access();
  H5Pset_obj_track_times(options, false);
  constexpr uint64_t stripe = uint64_t{1} << 20, page = 4096;
  const uint64_t last = columns.back().rows;
  H5Pset_alignment(list, std::clamp<uint64_t>(last, 1, stripe), last >= stripe ? stripe : page);
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, options, list), H5Fclose);
  check(static_cast<hid_t>(file), path, "create the shard");
  for (const auto& [name, value] : numbers)
    put_attribute(file, path, name, type_of(ColumnType::u64, 1), &value);
  for (const auto& [name, value] : texts)
    put_attribute(file, path, name, type_of(ColumnType::text, value.size()), value.c_str());
  for (const auto& column : columns) create_column(file, path, column);
  if (!file.close()) fail_hdf5(path, "write the shard");
}

Hdf5File open_hdf5(const fs::path& path, const std::vector<std::string>& columns,
                   const std::vector<std::string>& attributes) {
  const Library library;
  const Handle list = access();
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, list), H5Fclose);
  check(static_cast<hid_t>(file), path, "open it as a shard");
  Hdf5File result;
  // By name: over a damaged group's links HDF5 1.10 iterates into memory that it has never set.
  for (const auto& name : columns)
    if (H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0) result.columns[name] = extent_of(file, path, name);
  require_no_heap(file, path);
  for (const auto& name : attributes)
    if (H5Aexists(file, name.c_str()) > 0) read_attribute(file, path, name, result);
  return result;
}

}  // namespace convoy

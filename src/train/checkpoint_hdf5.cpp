#include "train/checkpoint_hdf5.h"

#include "train/checkpoint.h"

namespace convoy::checkpoint {
namespace {

[[noreturn]] void broken(const std::string& what) { throw BrokenCheckpoint(what); }

void check(herr_t status, const std::string& what) {
  if (status < 0) broken(what);
}

constexpr size_t longest_text = size_t{16}
                                << 20;  // of an attribute: more is damage, and no room is made for it

constexpr hsize_t longest_heap = 4096;
constexpr unsigned most_attributes = 64;  // beyond these HDF5 begins a heap

// Errors are told by our exceptions, not on standard error. And what a damaged file has left open in HDF5 must not end a
// program at its exit (a segmentation fault in 1.10); our own files are closed long before.
void prepare() {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

// A link that leads elsewhere could make HDF5 open any other file.
void require_own(hid_t parent, const std::string& name) {
  H5L_info_t info;
  if (H5Lget_info(parent, name.c_str(), &info, H5P_DEFAULT) < 0) broken("there is no " + name);
  if (info.type != H5L_TYPE_HARD) broken(name + " is a link");
}

// Attributes longer than 4 KB, which HDF5 keeps in a heap, without a checksum, are read by 1.10 beyond their ends where they
// are damaged. Convoy writes none to a heap; before it asked for that, heaps of its shorter ones took up to 3.5 KB.
void require_no_long_attributes(hid_t object) {
  H5O_info_t info;
  check(H5Oget_info2(object, &info, H5O_INFO_META_SIZE), "no object to have attributes");
  if (info.meta_size.attr.heap_size > longest_heap)
    broken("its attributes do not lie where convoy puts them");
}

bool has_attribute(hid_t object, const std::string& name) {
  require_no_long_attributes(object);
  return H5Aexists(object, name.c_str()) > 0;
}

Handle open_attribute(hid_t object, const std::string& name) {
  require_no_long_attributes(object);
  Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "no attribute " + name);
  const Handle space(H5Aget_space(attribute), H5Sclose, "no extent of " + name);
  if (H5Sget_simple_extent_npoints(space) != 1) broken("attribute " + name + " is not one value");
  return attribute;
}

}  // namespace

Handle::Handle(hid_t id, herr_t (*closer)(hid_t), const std::string& what) : id_(id), close_(closer) {
  if (id < 0) broken(what);
}

Handle::~Handle() {
  if (id_ >= 0) close_(id_);
}

void Handle::close(const std::string& what) { check(close_(std::exchange(id_, -1)), "cannot close " + what); }

Handle create_file(const std::filesystem::path& path) {
  prepare();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "no HDF5 property list");
  // Nothing older: from 1.10 on HDF5 has a checksum over every piece of its own structure.
  check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), "HDF5 refuses format 1.10");
  check(H5Pset_file_locking(access, false, true), "HDF5 cannot create without locks");
  const Handle create(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "no HDF5 property list");
  check(H5Pset_attr_phase_change(create, most_attributes, 0),
        "HDF5 refuses attributes in an object's header");
  return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, create, access), H5Fclose, "cannot create " + path.string()};
}

Handle open_file(const std::filesystem::path& path) {
  prepare();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "no HDF5 property list");
  check(H5Pset_file_locking(access, false, true), "HDF5 cannot open without locks");
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose,
          path.string() + " is not a whole HDF5 file"};
}

Handle create_group(hid_t parent, const std::string& name) {
  return {H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
          "cannot create /" + name};
}

Handle create_dataset(hid_t parent, const std::string& name, const std::vector<int64_t>& shape) {
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose,
                     "no space for " + name);
  const Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "no HDF5 property list");
  check(H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY), name);
  check(H5Pset_fill_time(create, H5D_FILL_TIME_NEVER), name);
  return {H5Dcreate2(parent, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose,
          "cannot create " + name};
}

Handle open_group(hid_t parent, const std::string& name) {
  require_own(parent, name);
  return {H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose, "no group /" + name};
}

Handle open_dataset(hid_t parent, const std::string& name) {
  require_own(parent, name);
  Handle dataset(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose, "cannot open " + name);
  const Handle options(H5Dget_create_plist(dataset), H5Pclose, "no layout of " + name);
  if (H5Pget_layout(options) != H5D_CONTIGUOUS || H5Pget_external_count(options) != 0)
    broken(name + " does not lie in the file in one piece");
  return dataset;
}

uint64_t offset_of(hid_t dataset) {
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF) broken("a dataset has no offset in the file");
  return offset;
}

std::vector<int64_t> shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose, "a dataset has no extent");
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> extent(static_cast<size_t>(rank < 0 ? 0 : rank));
  check(H5Sget_simple_extent_dims(space, extent.data(), nullptr), "a dataset has no extent");
  return {extent.begin(), extent.end()};
}

void read_floats(hid_t dataset, std::span<float> into, const std::string& what) {
  check(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, into.data()),
        "cannot read " + what);
}

void write_attribute(hid_t object, const std::string& name, int64_t value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, name);
  const Handle attribute(H5Acreate2(object, name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, name);
  check(H5Awrite(attribute, H5T_NATIVE_INT64, &value), "cannot write " + name);
}

void write_attribute(hid_t object, const std::string& name, const std::string& value) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, name);
  check(H5Tset_size(type, value.size() + 1), name);
  check(H5Tset_cset(type, H5T_CSET_UTF8), name);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, name);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         name);
  check(H5Awrite(attribute, type, value.c_str()), "cannot write " + name);
}

int64_t read_integer(hid_t object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  int64_t value = 0;
  check(H5Aread(attribute, H5T_NATIVE_INT64, &value), "cannot read attribute " + name);
  return value;
}

int64_t read_integer_if_there(hid_t object, const std::string& name) {
  return has_attribute(object, name) ? read_integer(object, name) : 0;
}

std::string read_string(hid_t object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  const Handle type(H5Aget_type(attribute), H5Tclose, "no type of " + name);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
    broken("attribute " + name + " is no text");
  const size_t size = H5Tget_size(type);
  if (size > longest_text) broken(fmt::format("attribute {} claims {} bytes", name, size));
  std::string value(size, '\0');
  check(H5Aread(attribute, type, value.data()), "cannot read attribute " + name);
  value.resize(value.find('\0') == std::string::npos ? value.size() : value.find('\0'));
  return value;
}

std::string read_string_if_there(hid_t object, const std::string& name) {
  return has_attribute(object, name) ? read_string(object, name) : "";
}

bool has_member(hid_t group, const std::string& name) {
  return H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0;
}

size_t count_members(hid_t group) {
  H5G_info_t info;
  check(H5Gget_info(group, &info), "cannot count a group's members");
  return info.nlinks;
}

std::string library() {
  unsigned major = 0, minor = 0, release = 0;
  check(H5get_libversion(&major, &minor, &release), "HDF5 has no version");
  return "HDF5 " + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace convoy::checkpoint

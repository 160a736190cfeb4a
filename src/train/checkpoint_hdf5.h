// The little of HDF5 that a checkpoint needs, with owned handles and errors as exceptions. HDF5 writes the structure alone;
// the tensors are written by pwrite at their datasets' offsets, so that a full disk is an errno and not a file that HDF5
// cannot close. For one thread at a time, as the library is.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace convoy::checkpoint {

class Handle {
 public:
  Handle(hid_t id, herr_t (*closer)(hid_t), const std::string& what);  // throws BrokenCheckpoint if id < 0
  ~Handle();
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }
  void close(const std::string& what);  // now, and say if it fails

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

Handle create_file(const std::filesystem::path& path);
Handle open_file(const std::filesystem::path& path);
Handle create_group(hid_t parent, const std::string& name);
// A contiguous f32 dataset whose storage is allocated but not written.
Handle create_dataset(hid_t parent, const std::string& name, const std::vector<int64_t>& shape);
// Both refuse links that lead elsewhere, and open_dataset what does not lie in the file in one piece.
Handle open_group(hid_t parent, const std::string& name);
Handle open_dataset(hid_t parent, const std::string& name);
uint64_t offset_of(hid_t dataset);
std::vector<int64_t> shape_of(hid_t dataset);
void read_floats(hid_t dataset, std::span<float> into, const std::string& what);

void write_attribute(hid_t object, const std::string& name, int64_t value);
void write_attribute(hid_t object, const std::string& name, const std::string& value);
int64_t read_integer(hid_t object, const std::string& name);
int64_t read_integer_if_there(hid_t object, const std::string& name);  // else 0
std::string read_string(hid_t object, const std::string& name);
std::string read_string_if_there(hid_t object, const std::string& name);  // else ""
// By name and number: over a damaged group's links HDF5 1.10 iterates into memory that it has never set.
bool has_member(hid_t group, const std::string& name);
size_t count_members(hid_t group);
std::string library();

}  // namespace convoy::checkpoint

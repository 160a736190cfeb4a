#include "train/checkpoint.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "port/weights_digest.h"
#include "train/checkpoint_hdf5.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
constexpr const char* schema = "convoy.checkpoint/1";

struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset, count;  // in the flat arena
};

std::vector<Tensor> tensors_of(const Graph& graph, const Layout& layout) {
  std::vector<Tensor> tensors;
  for (size_t p = 0; p < graph.params.size(); ++p)
    tensors.push_back(
        {graph.params[p].name, graph.params[p].shape, layout.param_offset[p], graph.params[p].elements()});
  for (size_t s = 0; s < graph.stats.size(); ++s)
    tensors.push_back(
        {graph.stats[s].name, {graph.stats[s].channels}, layout.stat_offset[s], graph.stats[s].channels});
  return tensors;
}

std::string checksum(std::span<const float> values) {
  Digest digest;
  digest.add(values.data(), values.size_bytes());
  return digest.hex();
}

std::span<const float> values_of(std::span<const float> flat, const Tensor& tensor) {
  return flat.subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.count));
}

// Asks for the whole size at once, so that a full disk shows as an errno before HDF5 has begun. A probe, no reservation:
// HDF5 truncates the file that it creates, and what another process takes until the tensors are written is missing then,
// again as an errno. Not posix_fallocate, which writes every block itself where the file system (NFS) cannot allocate.
void probe_space(const fs::path& path, size_t bytes) {
  const File file(path, File::Mode::create);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail_errno(errno, fmt::format("cannot open {}", path.string()));
  const int error = ::fallocate(descriptor, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  ::close(descriptor);
  // A file system that cannot allocate shows a full disk at the first write instead.
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL && error != ENOSYS && error != EINTR)
    fail_errno(error, fmt::format("cannot write {} bytes to {}", bytes, path.string()));
}

// Where a tensor's bytes go.
struct Piece {
  uint64_t file_offset;
  std::span<const float> values;
};

// Everything but the tensors' values: their checksums, too.
std::vector<Piece> write_structure(const fs::path& path, const Graph& graph, const Layout& layout,
                                   const Flats& flats, const Snapshot& snapshot) {
  std::vector<Piece> pieces;
  checkpoint::Handle file = checkpoint::create_file(path);
  checkpoint::write_attribute(file, "schema", std::string(schema));
  checkpoint::write_attribute(file, "network", graph.name);
  checkpoint::write_attribute(file, "step", snapshot.step);
  checkpoint::write_attribute(file, "seed", static_cast<int64_t>(snapshot.seed));
  checkpoint::write_attribute(file, "states", static_cast<int64_t>(flats.size()) - 1);
  checkpoint::write_attribute(file, "experiment_hash", snapshot.hash);
  checkpoint::write_attribute(file, "experiment", snapshot.arithmetic);
  checkpoint::write_attribute(file, "fingerprint", snapshot.fingerprint);
  checkpoint::write_attribute(file, "claim", snapshot.claim);
  checkpoint::write_attribute(file, "loss_scale", static_cast<int64_t>(snapshot.loss_scale.value));
  checkpoint::write_attribute(file, "loss_scale_steps", snapshot.loss_scale.steps_since);
  checkpoint::write_attribute(file, "weights_digest", weights_digest(graph, layout, flats[0]));
  for (size_t flat = 0; flat < flats.size(); ++flat) {
    const checkpoint::Handle group =
        checkpoint::create_group(file, flat == 0 ? "weights" : fmt::format("state{}", flat - 1));
    for (const Tensor& tensor : tensors_of(graph, layout)) {
      const checkpoint::Handle dataset = checkpoint::create_dataset(group, tensor.name, tensor.shape);
      const std::span<const float> values = values_of(flats[flat], tensor);
      checkpoint::write_attribute(dataset, "xxh3", checksum(values));
      pieces.push_back({checkpoint::offset_of(dataset), values});
    }
  }
  file.close(path.string());
  return pieces;
}

LossScale::State read_loss_scale(hid_t file) {
  const int64_t value = checkpoint::read_integer_if_there(file, "loss_scale");
  const int64_t steps = checkpoint::read_integer_if_there(file, "loss_scale_steps");
  const bool possible = value >= 0 && value <= static_cast<int64_t>(LossScale::most) &&
                        (value & (value - 1)) == 0 && steps >= 0;
  if (!possible)
    throw BrokenCheckpoint(fmt::format("its loss scale {} after {} steps cannot be", value, steps));
  return {static_cast<float>(value), steps};
}

Snapshot read_heading(hid_t file) {
  if (checkpoint::read_string(file, "schema") != schema)
    throw BrokenCheckpoint(fmt::format("its schema is not {}", schema));
  return {.step = checkpoint::read_integer(file, "step"),
          .seed = static_cast<uint64_t>(checkpoint::read_integer(file, "seed")),
          .hash = checkpoint::read_string(file, "experiment_hash"),
          .arithmetic = checkpoint::read_string(file, "experiment"),
          .fingerprint = checkpoint::read_string_if_there(file, "fingerprint"),
          .claim = checkpoint::read_string_if_there(file, "claim"),
          .loss_scale = read_loss_scale(file)};
}

void require_same_network(const fs::path& path, hid_t file, hid_t group, const Graph& graph,
                          const std::vector<Tensor>& tensors) {
  const auto refuse = [&](const std::string& what) {
    fail("{} is a checkpoint of {}, not of this {}: {}; give the job file it was trained with", path.string(),
         checkpoint::read_string(file, "network"), graph.name, what);
  };
  for (const Tensor& tensor : tensors) {
    if (!checkpoint::has_member(group, tensor.name)) refuse(tensor.name + " is missing there");
    const auto shape = checkpoint::shape_of(checkpoint::open_dataset(group, tensor.name));
    if (shape != tensor.shape)
      refuse(fmt::format("{} is {} there and {} here", tensor.name, fmt::join(shape, "x"),
                         fmt::join(tensor.shape, "x")));
  }
  if (const size_t count = checkpoint::count_members(group); count != tensors.size())
    refuse(fmt::format("it has {} tensors there and {} here", count, tensors.size()));
}

void read_tensors(hid_t group, const std::string& group_name, const std::vector<Tensor>& tensors,
                  std::span<float> flat) {
  for (const Tensor& tensor : tensors) {
    const checkpoint::Handle dataset = checkpoint::open_dataset(group, tensor.name);
    const auto into = flat.subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.count));
    const std::string name = group_name + "/" + tensor.name;
    if (checkpoint::shape_of(dataset) != tensor.shape) throw BrokenCheckpoint(name + " has another shape");
    checkpoint::read_floats(dataset, into, name);
    if (checksum(into) != checkpoint::read_string(dataset, "xxh3"))
      throw BrokenCheckpoint(name + " does not have its recorded checksum");
  }
}

// Names the file in whatever is found broken inside.
template <class F>
auto in_file(const fs::path& path, F&& read) {
  File(path, File::Mode::read);  // a missing file or no permission is an errno, not "broken"
  try {
    return read();
  } catch (const BrokenCheckpoint& error) {
    throw BrokenCheckpoint(fmt::format("the checkpoint {} is damaged: {}", path.string(), error.what()));
  }
}

}  // namespace

Flats flats_of(const Arena& arena) {
  Flats flats{arena.weights()};
  for (int state = 0; state < arena.states(); ++state) flats.push_back(arena.state(state));
  return flats;
}

void write_checkpoint(const fs::path& path, const Graph& graph, const Layout& layout, const Flats& values,
                      const Snapshot& snapshot) {
  fs::path temporary = path;
  temporary += ".tmp";
  try {
    size_t bytes = 0;
    for (const auto& flat : values) bytes += flat.size_bytes();
    probe_space(temporary, bytes);
    const std::vector<Piece> pieces = write_structure(temporary, graph, layout, values, snapshot);
    File file(temporary, File::Mode::update);
    for (const Piece& piece : pieces)
      file.write_at(piece.file_offset, piece.values.data(), piece.values.size_bytes());
    publish(temporary, path);
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    if (dynamic_cast<const BrokenCheckpoint*>(&error) !=
        nullptr)  // HDF5 gives no errno: space is the likeliest cause
      fail(Exit::temporary, "cannot write the checkpoint {}: {} (is there space left?)", path.string(),
           error.what());
    throw;
  }
}

void write_checkpoint(const fs::path& path, const Graph& graph, const Arena& arena,
                      const Snapshot& snapshot) {
  write_checkpoint(path, graph, arena.layout(), flats_of(arena), snapshot);
}

Snapshot read_checkpoint(const fs::path& path, const Graph& graph, Arena& arena, bool states) {
  return in_file(path, [&] {
    const checkpoint::Handle file = checkpoint::open_file(path);
    const Snapshot snapshot = read_heading(file);
    const std::vector<Tensor> tensors = tensors_of(graph, arena.layout());
    const checkpoint::Handle weights = checkpoint::open_group(file, "weights");
    require_same_network(path, file, weights, graph, tensors);
    read_tensors(weights, "weights", tensors, arena.weights());
    for (int state = 0; states && state < arena.states(); ++state) {
      const std::string name = fmt::format("state{}", state);
      const checkpoint::Handle group = checkpoint::open_group(file, name);
      read_tensors(group, name, tensors, arena.state(state));
    }
    arena.weights_changed();
    return snapshot;
  });
}

Snapshot read_snapshot(const fs::path& path) {
  return in_file(path, [&] { return read_heading(checkpoint::open_file(path)); });
}

void require_same_experiment(const fs::path& path, const Snapshot& found, const Snapshot& wanted) {
  if (found.hash == wanted.hash) return;
  fail(
      Exit::usage,
      "{} belongs to another experiment ({}): give the job file it was made with, --resume without one, or a new --out folder",
      path.string(), fmt::join(arithmetic_differences(found.arithmetic, wanted.arithmetic), "; "));
}

std::string checkpoint_library() { return checkpoint::library(); }

}  // namespace convoy

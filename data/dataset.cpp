#include "data/dataset.h"

#include <sys/stat.h>

#include <algorithm>
#include <span>

#include "base/digest.h"
#include "base/error.h"
#include "data/broadcast.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

template <class T>
void broadcast_vector(Communicator& comm, std::vector<T>& values) {
  uint64_t count = values.size();
  comm.broadcast(std::as_writable_bytes(std::span(&count, 1)), 0);
  values.resize(count);
  comm.broadcast(std::as_writable_bytes(std::span(values)), 0);
}

void check_size(const fs::path& path, const ShardEntry& entry) {
  require(fs::exists(path),
          "{} is missing ({} records): copy it again from where the dataset was packed, or pack again",
          path.string(), entry.samples);
  const uint64_t bytes = fs::file_size(path);
  require(bytes == entry.bytes,
          "{} {}: it has {} bytes of {}; copy it again from where the dataset was packed, or pack again",
          path.string(), bytes < entry.bytes ? "is truncated" : "is too long", bytes, entry.bytes);
}

}  // namespace

Dataset Dataset::open(const fs::path& folder, Communicator& comm) {
  Dataset set;
  set.folder_ = folder;
  std::string text;
  if (comm.rank() == 0) {
    set.manifest_ = read_manifest(folder);
    text = manifest_text(set.manifest_);
    set.first_.push_back(0);
    for (const auto& entry : set.manifest_.shards) {
      check_size(folder / entry.file, entry);
      const Shard shard = read_shard(folder / entry.file);
      require(
          static_cast<int64_t>(shard.rows.size()) == entry.samples && shard.header.plan == set.manifest_.plan,
          "{} belongs to another dataset than {}: its {} records are not those that {} names; pack again",
          shard.path.string(), folder.string(), shard.rows.size(), manifest_name);
      set.layouts_.push_back(shard.layout);
      set.first_.push_back(set.first_.back() + entry.samples);
      for (const auto& row : shard.rows) {
        set.offsets_.push_back(shard.layout.images + row.offset);
        set.hashes_.push_back(row.xxh3);
        set.lengths_.push_back(row.length);
        if (row.warnings > 0) set.damaged_.push_back(static_cast<int64_t>(set.labels_.size()));
        set.labels_.push_back(row.label);
      }
    }
    require(set.first_.back() == set.manifest_.samples && set.manifest_.samples > 0,
            "{} promises {} images, but its shards hold {}; pack again", folder.string(),
            set.manifest_.samples, set.first_.back());
  }
  broadcast_text(comm, text);
  if (comm.rank() != 0) set.manifest_ = parse_manifest(text, folder / manifest_name);
  broadcast_vector(comm, set.first_);
  broadcast_vector(comm, set.layouts_);
  broadcast_vector(comm, set.offsets_);
  broadcast_vector(comm, set.hashes_);
  broadcast_vector(comm, set.lengths_);
  broadcast_vector(comm, set.labels_);
  broadcast_vector(comm, set.damaged_);
  std::vector<fs::path> paths;
  for (const auto& entry : set.manifest_.shards) paths.push_back(folder / entry.file);
  set.files_ = std::make_unique<FileCache>(std::move(paths));
  return set;
}

size_t Dataset::shard_of(int64_t sample) const {
  ensure(sample >= 0 && sample < samples());
  return static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), sample) - first_.begin() - 1);
}

void Dataset::read(int64_t sample, std::vector<std::byte>& encoded) const {
  const size_t shard = shard_of(sample);
  const auto i = static_cast<size_t>(sample);
  encoded.resize(lengths_[i]);
  std::string reason;
  Exit code = Exit::failed;
  try {
    const auto file = files_->get(shard);
    file->read_at(offsets_[i], encoded.data(), encoded.size());
    if (file->removed())
      reason = "the shard was removed while it was in use";
    else if (digest64(encoded.data(), encoded.size()) != hashes_[i])
      reason = "its bytes are not those that were packed (wrong checksum)";
  } catch (const Error& error) {
    reason = error.what();
    code = error.code();
  }
  if (!reason.empty())
    throw Error(fmt::format("{}: {}; run `convoy verify {}` to see all that is damaged, then copy the shard "
                            "again or pack again",
                            where(sample), reason, folder_.string()),
                code);
}

std::string Dataset::name(int64_t sample) const {
  const size_t shard = shard_of(sample);
  const auto row = static_cast<uint64_t>(sample - first_[shard]);
  std::string text(layouts_[shard].name_width, '\0');
  files_->get(shard)->read_at(layouts_[shard].names + row * text.size(), text.data(), text.size());
  return text.substr(0, text.find('\0'));
}

std::string Dataset::where(int64_t sample) const {
  const size_t shard = shard_of(sample);
  std::string image = "name unreadable";
  try {
    image = name(sample);
  } catch (const Error&) {  // a shard that is gone: the place is still known
  }
  return fmt::format("{}, record {} ({}) at offset {}", files_->path(shard).string(), sample - first_[shard],
                     image, offsets_[static_cast<size_t>(sample)]);
}

void check_pair(const Dataset& train, const Dataset& held_out) {
  require(train.classes() >= 2 &&
              std::count_if(train.manifest().histogram.begin(), train.manifest().histogram.end(),
                            [](int64_t samples) { return samples > 0; }) >= 2,
          "{} has images of one class only: there is nothing to learn; pack a set of two classes or more",
          train.folder().string());
  if (train.wnids() == held_out.wnids()) return;
  const auto& ours = train.wnids();
  const auto& theirs = held_out.wnids();
  const size_t both = std::min(ours.size(), theirs.size());
  const size_t first = static_cast<size_t>(
      std::mismatch(ours.begin(), ours.begin() + static_cast<ptrdiff_t>(both), theirs.begin()).first -
      ours.begin());
  const auto at = [first](const std::vector<std::string>& wnids) {
    return first < wnids.size() ? wnids[first] : std::string("nothing");
  };
  fail(
      "the held-out set {} has other classes than the training set {} ({} and {}; class {} is {} in one and "
      "{} in the other): pack it again with --classes {}",
      held_out.folder().string(), train.folder().string(), theirs.size(), ours.size(), first, at(theirs),
      at(ours), train.folder().string());
}

}  // namespace convoy

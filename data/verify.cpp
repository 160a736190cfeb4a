#include "data/verify.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "data/manifest.h"
#include "data/parallel.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr size_t most_lines = 20;  // of one shard

struct ShardVerdict {
  int64_t bad = 0;
  std::vector<std::string> problems;
  bool differs = false;  // the digest does not fit: look closer
};

ShardVerdict look(const fs::path& path, const ShardEntry& entry) {
  ShardVerdict verdict;
  try {
    if (!fs::exists(path)) {
      verdict.problems.push_back(
          fmt::format("{} is missing ({} records); copy it again", path.string(), entry.samples));
      verdict.bad = entry.samples;
      return verdict;
    }
    const uint64_t bytes = fs::file_size(path);
    if (bytes != entry.bytes)
      verdict.problems.push_back(fmt::format("{} {}: it has {} bytes of {}; copy it again", path.string(),
                                             bytes < entry.bytes ? "is truncated" : "is too long", bytes,
                                             entry.bytes));
    verdict.differs = bytes != entry.bytes || file_digest(path) != entry.digest;
  } catch (const std::exception& error) {  // unreadable storage is a finding, too
    verdict.problems.push_back(error.what());
    verdict.bad = entry.samples;
  }
  return verdict;
}

// HDF5 opens no file that ends before its end. One of the right length with this one's beginning, and then a hole, it
// does; and the index stands in the beginning, before the images (but where records are very few: HDF5 may then put a
// piece of its own behind them). It takes as much temporary space as is copied of it.
Shard read_truncated(const fs::path& path, uint64_t whole) {
  constexpr uint64_t most = uint64_t{64} << 20;  // an index of some 500,000 records
  struct Temporary {
    std::string path = (fs::temp_directory_path() / "convoy-verify-XXXXXX").string();
    int descriptor = ::mkstemp(path.data());
    ~Temporary() {
      if (descriptor < 0) return;
      ::unlink(path.c_str());
      ::close(descriptor);
    }
  } stand_in;
  if (stand_in.descriptor < 0 || ::ftruncate(stand_in.descriptor, static_cast<off_t>(whole)) != 0)
    fail_errno(errno, "cannot make a temporary file " + stand_in.path);
  const File file(path, File::Mode::read);
  std::vector<std::byte> beginning(std::min({file.size(), whole, most}));
  file.read_at(0, beginning.data(), beginning.size());
  File(stand_in.path, File::Mode::update).write_at(0, beginning.data(), beginning.size());
  Shard shard = read_shard(stand_in.path, Rows::tolerate);
  shard.path = path;
  return shard;
}

// The digest differs: which records is it?
void look_closer(const fs::path& path, const ShardEntry& entry, int threads, ShardVerdict& verdict) {
  std::error_code ignored;
  const bool cut = fs::file_size(path, ignored) < entry.bytes;
  try {
    const Shard shard = cut ? read_truncated(path, entry.bytes) : read_shard(path, Rows::tolerate);
    for (const size_t i : shard.bad_rows) {
      const auto& row = shard.rows[i];
      verdict.problems.push_back(fmt::format("{}: the index of record {} ({}, offset {}) is damaged",
                                             path.string(), i, row.name, shard.layout.images + row.offset));
    }
    verdict.bad += static_cast<int64_t>(shard.bad_rows.size());
    const RecordCheck check = check_records(shard, threads);
    verdict.bad += check.bad;
    verdict.problems.insert(verdict.problems.end(), check.problems.begin(), check.problems.end());
    if (verdict.problems.empty())
      verdict.problems.push_back(
          fmt::format("{}: bytes outside the records differ from what was packed (HDF5's own, the class "
                      "table or padding); copy it again",
                      path.string()));
  } catch (const std::exception& error) {
    verdict.problems.push_back(cut ? fmt::format("{}: its index is cut, too, or lies behind the cut: which "
                                                 "of its {} records are lost cannot be said",
                                                 path.string(), entry.samples)
                                   : error.what());
    verdict.bad = entry.samples;
  }
}

std::string look_at_list(const fs::path& path, const std::string& digest) {
  try {
    if (file_digest(path) == digest) return "";
  } catch (const std::exception& error) {
    return error.what();
  }
  return fmt::format("{} is not the list that was written: copy it again (no image depends on it)",
                     path.string());
}

}  // namespace

std::string file_digest(const fs::path& path) {
  const File file(path, File::Mode::read);
  const uint64_t size = file.size();
  std::vector<std::byte> buffer(std::clamp<uint64_t>(size, 1, uint64_t{4} << 20));
  Digest digest;
  for (uint64_t at = 0; at < size; at += buffer.size()) {
    const size_t bytes = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - at));
    file.read_at(at, buffer.data(), bytes);
    digest.add(buffer.data(), bytes);
  }
  return digest.hex();
}

RecordCheck check_records(const Shard& shard, int threads) {
  const File file(shard.path, File::Mode::read);
  const uint64_t size = file.size();
  const std::set<size_t> known(shard.bad_rows.begin(), shard.bad_rows.end());
  std::vector<std::string> problems(shard.rows.size());
  std::vector<std::vector<std::byte>> buffers(static_cast<size_t>(std::max(1, threads)));
  parallel_for(static_cast<int64_t>(shard.rows.size()), std::max(1, threads), [&](int64_t i, int thread) {
    if (known.count(static_cast<size_t>(i))) return;
    const ShardRow& row = shard.rows[static_cast<size_t>(i)];
    const uint64_t at = shard.layout.images + row.offset;
    auto& buffer = buffers[static_cast<size_t>(thread)];
    std::string what;
    if (at + row.length > size) {
      what = "lies behind the end of the truncated file";
    } else {
      buffer.resize(row.length);
      file.read_at(at, buffer.data(), buffer.size());
      if (digest64(buffer.data(), buffer.size()) != row.xxh3) what = "has changed bytes";
    }
    if (!what.empty())
      problems[static_cast<size_t>(i)] = fmt::format("{}: record {} ({}, {} bytes at offset {}) {}",
                                                     shard.path.string(), i, row.name, row.length, at, what);
  });
  RecordCheck check;
  for (auto& problem : problems) {
    if (problem.empty()) continue;
    ++check.bad;
    check.problems.push_back(std::move(problem));
  }
  return check;
}

VerifyReport verify(const fs::path& dataset, int threads, const Log& log) {
  threads = thread_count(threads);
  VerifyReport report;
  require(fs::exists(dataset / manifest_name),
          "{} has no {}: it is no packed dataset, or packing it was not finished", dataset.string(),
          manifest_name);
  Manifest manifest;
  try {
    manifest = read_manifest(dataset);
  } catch (const Error& error) {
    report.problems.push_back(error.what());
    return report;
  }
  report.records = manifest.samples;
  std::vector<ShardVerdict> verdicts(manifest.shards.size());
  std::atomic<size_t> done{0};
  parallel_for(static_cast<int64_t>(manifest.shards.size()), threads, [&](int64_t i, int) {
    const auto& entry = manifest.shards[static_cast<size_t>(i)];
    verdicts[static_cast<size_t>(i)] = look(dataset / entry.file, entry);
    log.detail("verified {} ({} of {})", entry.file, ++done, manifest.shards.size());
  });
  std::set<std::string> expected;
  for (size_t i = 0; i < verdicts.size(); ++i) {  // HDF5 by this thread alone
    const auto& entry = manifest.shards[i];
    expected.insert(entry.file);
    if (verdicts[i].differs) look_closer(dataset / entry.file, entry, threads, verdicts[i]);
    auto& problems = verdicts[i].problems;
    if (problems.size() > most_lines) {
      const size_t more = problems.size() - most_lines;
      problems.resize(most_lines);
      problems.push_back(fmt::format("{}: and {} more", (dataset / entry.file).string(), more));
    }
    report.bad += verdicts[i].bad;
    report.problems.insert(report.problems.end(), problems.begin(), problems.end());
  }
  if (!manifest.quarantine_digest.empty()) {
    const fs::path list = dataset / quarantine_name;
    if (const std::string problem = look_at_list(list, manifest.quarantine_digest); !problem.empty())
      report.problems.push_back(problem);
  }
  for (const auto& entry : fs::directory_iterator(dataset)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("shard-") && name.ends_with(".h5") && !expected.count(name))
      report.problems.push_back(
          fmt::format("{} does not belong to the dataset: {} does not name it; remove it",
                      entry.path().string(), manifest_name));
  }
  log.info("{}: {} records in {} shards, {} bad", dataset.string(), report.records, manifest.shards.size(),
           report.bad);
  return report;
}

}  // namespace convoy

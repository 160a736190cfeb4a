#include "data/pack_shard.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <optional>
#include <tuple>

#include "base/digest.h"
#include "base/error.h"
#include "data/decode.h"
#include "data/parallel.h"
#include "data/shard.h"
#include "data/verify.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const fs::path& path() const { return path_; }
  void become(const fs::path& target) {
    publish(path_, target);
    path_.clear();
  }

 private:
  fs::path path_;
};

struct ThreadState {
  std::vector<std::byte> encoded;
  Image image;
};

BadImage bad_image(const Source& source, const SourceImage& image, const std::string& reason) {
  const std::string where =
      image.archive < 0 ? "file"
                        : fmt::format("{}, byte {}",
                                      source.archives[static_cast<size_t>(image.archive)].filename().string(),
                                      image.offset);
  std::string one_line = reason;
  std::replace_if(
      one_line.begin(), one_line.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return {image.name, where, one_line};
}

std::string line_of(const BadImage& bad) { return bad.name + "\t" + bad.where + "\t" + bad.reason; }

BadImage bad_from_line(const std::string& line) {
  const size_t first = line.find('\t'), second = line.find('\t', first + 1);
  return {line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)};
}

class Maker {
 public:
  Maker(int shard, const PackPlan& plan, const Source& source, SourceReader& reader,
        const PackOptions& options)
      : source_(source),
        reader_(reader),
        threads_(thread_count(options.threads)),
        quarantine_(options.quarantine),
        target_(options.out / shard_name(shard, plan.shards)) {
    header_ = {plan.seed, shard, plan.shards, plan.digest, source.classes, plan.name_width, {}};
    images_.assign(plan.order.begin() + static_cast<ptrdiff_t>(plan.begin(shard)),
                   plan.order.begin() + static_cast<ptrdiff_t>(plan.begin(shard + 1)));
    outcome_.shard = shard;
  }

  // A shard of the same plan whose every digest is right.
  bool keep(const Log& log) {
    if (!fs::exists(target_)) return false;
    try {
      const Shard shard = read_shard(target_);
      const RecordCheck check = check_records(shard, threads_);
      if (shard.header.plan != header_.plan || shard.header.shard != header_.shard ||
          !check.problems.empty() || shard.rows.size() + shard.header.quarantine.size() != images_.size())
        return false;
      for (const auto& line : shard.header.quarantine) outcome_.bad.push_back(bad_from_line(line));
      outcome_.samples = static_cast<int64_t>(shard.rows.size());
    } catch (const Error& error) {
      log.info("{} is made again: {}", target_.string(), error.what());
      return false;
    }
    outcome_.kept = outcome_.written = true;
    return true;
  }

  void make() {
    Temporary temporary(target_.string() + temporary_suffix);
    {
      ShardWriter writer = start(temporary.path());
      decode_all(writer);
      if (outcome_.bad.empty()) writer.finish(rows_);
    }
    if (!outcome_.bad.empty()) {
      if (!quarantine_) return;
      leave_out_bad();  // their places close up: the layout is made again, and the good images copied again
      ShardWriter writer = start(temporary.path());
      copy_all(writer);
      writer.finish(rows_);
    }
    const Shard written = read_shard(temporary.path());
    const RecordCheck check = check_records(written, threads_);
    require(check.problems.empty(), Exit::temporary,
            "{}: what was written does not read back: {}; check the storage, then run it again",
            temporary.path().string(), check.problems.empty() ? "" : check.problems[0]);
    temporary.become(target_);
    outcome_.written = true;
    outcome_.samples = static_cast<int64_t>(rows_.size());
  }

  ShardOutcome take() {
    if (outcome_.written) {
      outcome_.bytes = fs::file_size(target_);
      outcome_.digest = file_digest(target_);
    }
    return std::move(outcome_);
  }

 private:
  const SourceImage& image(size_t row) const { return source_.images[images_[row]]; }

  ShardWriter start(const fs::path& path) {
    uint64_t bytes = 0;
    rows_.resize(images_.size());
    for (size_t i = 0; i < images_.size(); ++i) {
      rows_[i].offset = bytes;
      rows_[i].length = image(i).length;
      rows_[i].label = image(i).label;
      rows_[i].name = image(i).name;
      bytes += rows_[i].length;
    }
    return {path, header_, rows_.size(), bytes};
  }

  // Rows in the order in which they lie in the source: its storage is read forwards. Files of their own go by name.
  std::vector<size_t> reading_order() const {
    std::vector<size_t> order(images_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto place = [&](size_t row) { return std::tuple(image(row).archive, image(row).offset, images_[row]); };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
    return order;
  }

  void decode_all(ShardWriter& writer) {
    const auto order = reading_order();
    std::vector<ThreadState> states(static_cast<size_t>(threads_));
    std::vector<std::optional<BadImage>> bad(images_.size());
    parallel_for(static_cast<int64_t>(order.size()), threads_, [&](int64_t piece, int thread) {
      auto& state = states[static_cast<size_t>(thread)];
      const size_t i = order[static_cast<size_t>(piece)];
      reader_.read(image(i), state.encoded);
      DecodeReport report;
      try {
        decode(state.encoded, state.image, &report);
      } catch (const Error& error) {
        bad[i] = bad_image(source_, image(i), error.what());
        return;
      } catch (const std::bad_alloc&) {
        fail(Exit::temporary, "{}: no memory to decode it: give fewer --threads or ranks a node, and run it again",
             source_.where(image(i)));
      }
      rows_[i].width = static_cast<uint16_t>(state.image.width);
      rows_[i].height = static_cast<uint16_t>(state.image.height);
      rows_[i].warnings = static_cast<uint32_t>(std::min<int64_t>(report.warnings, UINT32_MAX));
      rows_[i].xxh3 = digest64(state.encoded.data(), state.encoded.size());
      writer.write_image(rows_[i].offset, state.encoded);
    });
    for (auto& entry : bad)
      if (entry) outcome_.bad.push_back(std::move(*entry));
    std::sort(outcome_.bad.begin(), outcome_.bad.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  void leave_out_bad() {
    const auto is_bad = [&](const std::string& name) {
      return std::binary_search(outcome_.bad.begin(), outcome_.bad.end(), BadImage{name, "", ""},
                                [](const auto& a, const auto& b) { return a.name < b.name; });
    };
    std::vector<uint32_t> good;
    std::vector<ShardRow> rows;
    for (size_t i = 0; i < images_.size(); ++i) {
      if (is_bad(rows_[i].name)) continue;
      good.push_back(images_[i]);
      rows.push_back(rows_[i]);
    }
    images_ = std::move(good);
    rows_ = std::move(rows);
    for (const auto& bad : outcome_.bad) header_.quarantine.push_back(line_of(bad));
  }

  void copy_all(ShardWriter& writer) {
    const auto order = reading_order();
    std::vector<ThreadState> states(static_cast<size_t>(threads_));
    parallel_for(static_cast<int64_t>(order.size()), threads_, [&](int64_t piece, int thread) {
      auto& encoded = states[static_cast<size_t>(thread)].encoded;
      const size_t i = order[static_cast<size_t>(piece)];
      reader_.read(image(i), encoded);
      require(digest64(encoded.data(), encoded.size()) == rows_[i].xxh3,
              "{} changes while it is packed: leave the source alone "
              "and run it again",
              source_.where(image(i)));
      writer.write_image(rows_[i].offset, encoded);
    });
  }

  const Source& source_;
  SourceReader& reader_;
  int threads_;
  bool quarantine_;
  fs::path target_;
  ShardHeader header_;
  std::vector<uint32_t> images_;
  std::vector<ShardRow> rows_;
  ShardOutcome outcome_;
};

}  // namespace

ShardOutcome make_shard(int shard, const PackPlan& plan, const Source& source, SourceReader& reader,
                        const PackOptions& options, const Log& log) {
  Maker maker(shard, plan, source, reader, options);
  if (!maker.keep(log)) maker.make();
  return maker.take();
}

}  // namespace convoy

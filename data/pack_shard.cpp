#include "data/pack_shard.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "base/digest.h"
#include "base/error.h"
#include "data/coefficient_record.h"
#include "data/decode.h"
#include "data/jpeg_coefficients.h"
#include "data/jpeg_rewrite.h"
#include "data/manifest.h"
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
  std::vector<std::byte> encoded, kept;
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

bool same_bytes(const File& a, const File& b, uint64_t begin, uint64_t end) {
  constexpr uint64_t most = uint64_t{1} << 20;
  std::vector<std::byte> one, other;
  for (uint64_t at = begin; at < end; at += one.size()) {
    one.resize(std::min(most, end - at));
    other.resize(one.size());
    a.read_at(at, one.data(), one.size());
    b.read_at(at, other.data(), other.size());
    if (one != other) return false;
  }
  return true;
}

class Maker {
 public:
  Maker(int shard, const PackPlan& plan, const Source& source, SourceReader& reader,
        const PackOptions& options)
      : source_(source),
        reader_(reader),
        threads_(thread_count(options.threads)),
        quarantine_(options.quarantine),
        jpegs_(options.jpegs),
        anew_(jpegs_ != Jpegs::kept),
        target_(options.out / shard_name(shard, plan.shards)) {
    header_ = {plan.seed, shard, plan.shards, plan.digest, source.classes, plan.name_width, {}};
    images_.assign(plan.order.begin() + static_cast<ptrdiff_t>(plan.begin(shard)),
                   plan.order.begin() + static_cast<ptrdiff_t>(plan.begin(shard + 1)));
    outcome_.shard = shard;
  }

  // A shard of an earlier run that is, byte for byte, what would be made now: everything around the images as it is
  // written anew, the images as they stand in the source, and those that were left out still bad. Only the decoded sizes
  // and warnings are believed, under the rows' own hashes.
  bool keep(const Log& log) {
    if (!fs::exists(target_)) return false;
    try {
      const Shard shard = read_shard(target_);
      lay_out();
      if (!shard.header.quarantine.empty()) retry(shard.header.quarantine);
      lay_out();
      if (header_.quarantine != shard.header.quarantine || shard.rows.size() != rows_.size())
        return differs(log);
      for (size_t i = 0; i < rows_.size(); ++i) {
        if (anew_) rows_[i].length = shard.rows[i].length;
        rows_[i].height = shard.rows[i].height;
        rows_[i].width = shard.rows[i].width;
        rows_[i].warnings = shard.rows[i].warnings;
        rows_[i].xxh3 = shard.rows[i].xxh3;
      }
      if (!same_frame() || !same_images(shard)) return differs(log);
    } catch (const Error& error) {
      log.info("{} is made again: {}", target_.string(), error.what());
      return false;
    }
    outcome_.samples = static_cast<int64_t>(rows_.size());
    outcome_.rewritten = rewritten_;
    outcome_.kept = outcome_.written = true;
    return true;
  }

  void make() {
    Temporary temporary(target_.string() + temporary_suffix);
    if (anew_) {
      lay_out();
      decode_all(nullptr);  // how long what is written anew will be is not known before
    } else {
      ShardWriter writer = start(temporary.path());
      decode_all(&writer);
      if (outcome_.bad.empty()) writer.finish(rows_);
    }
    if (!outcome_.bad.empty()) {
      if (!quarantine_) return;
      leave_out_bad();  // their places close up: the layout is made again, and the good images copied again
    }
    if (anew_ || !outcome_.bad.empty()) {
      ShardWriter writer = start(temporary.path());
      copy_all(writer);
      writer.finish(rows_);
    }
    const Shard written = read_shard(temporary.path());
    const RecordCheck check = check_records(written, threads_);
    require(check.problems.empty(), Exit::temporary,
            "{}: what was written does not read back: {}; check the storage, then run it again",
            temporary.path().string(), check.problems.empty() ? "" : check.problems[0]);
    std::error_code ignored;  // a dataset.json that is there speaks of the shard that goes
    fs::remove(target_.parent_path() / manifest_name, ignored);
    temporary.become(target_);
    outcome_.written = true;
    outcome_.samples = static_cast<int64_t>(rows_.size());
    outcome_.rewritten = rewritten_;
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

  bool differs(const Log& log) const {
    log.info("{} is made again: it is not what the source gives now", target_.string());
    return false;
  }

  // Images that were left out earlier: are they as bad as they were?
  void retry(const std::vector<std::string>& lines) {
    std::set<std::string> names;
    for (const auto& line : lines) names.insert(line.substr(0, line.find('\t')));
    ThreadState state;
    for (size_t i = 0; i < images_.size(); ++i) {
      if (!names.count(image(i).name)) continue;
      if (auto bad = try_image(i, state, nullptr)) outcome_.bad.push_back(std::move(*bad));
    }
    sort_bad();
    leave_out_bad();
  }

  // Everything but the images' bytes: is it what would be written now? A shard without images is written and compared.
  bool same_frame() {
    const Temporary temporary(target_.string() + temporary_suffix);
    start(temporary.path()).finish(rows_);
    const Shard frame = read_shard(temporary.path());
    const File now(temporary.path(), File::Mode::read), earlier(target_, File::Mode::read);
    const uint64_t size = now.size(), images = frame.layout.images, end = images + frame.image_bytes;
    return earlier.size() == size && same_bytes(now, earlier, 0, images) &&
           same_bytes(now, earlier, end, size);
  }

  bool same_images(const Shard& shard) {
    const File earlier(target_, File::Mode::read);
    const auto order = reading_order();
    std::vector<ThreadState> states(static_cast<size_t>(threads_));
    std::atomic<bool> same{true};
    parallel_for(static_cast<int64_t>(order.size()), threads_, [&](int64_t piece, int thread) {
      auto& state = states[static_cast<size_t>(thread)];
      auto& [encoded, kept, pixels] = state;
      const size_t i = order[static_cast<size_t>(piece)];
      if (!same) return;
      reader_.read(image(i), encoded);
      if (anew_) {
        decode(encoded, pixels);
        write_anew(state);
      }
      kept.resize(rows_[i].length);
      earlier.read_at(shard.layout.images + rows_[i].offset, kept.data(), kept.size());
      if (kept != encoded || digest64(kept.data(), kept.size()) != rows_[i].xxh3) same = false;
    });
    return same;
  }

  void lay_out() {
    uint64_t bytes = 0;
    rows_.resize(images_.size());
    for (size_t i = 0; i < images_.size(); ++i) {
      rows_[i].offset = bytes;
      if (rows_[i].length == 0) rows_[i].length = image(i).length;  // not written anew, or not yet
      rows_[i].label = image(i).label;
      rows_[i].name = image(i).name;
      bytes += rows_[i].length;
    }
  }

  ShardWriter start(const fs::path& path) {
    lay_out();
    const uint64_t bytes = rows_.empty() ? 0 : rows_.back().offset + rows_.back().length;
    return {path, header_, rows_.size(), bytes};
  }

  // Rows in the order in which they lie in the source: its storage is read forwards. Files of their own go by name.
  std::vector<size_t> reading_order() const {
    std::vector<size_t> order(images_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto place = [&](size_t row) {
      return std::tuple(image(row).archive, image(row).offset, images_[row]);
    };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
    return order;
  }

  void decode_all(ShardWriter* writer) {
    const auto order = reading_order();
    std::vector<ThreadState> states(static_cast<size_t>(threads_));
    std::vector<std::optional<BadImage>> bad(images_.size());
    parallel_for(static_cast<int64_t>(order.size()), threads_, [&](int64_t piece, int thread) {
      const size_t i = order[static_cast<size_t>(piece)];
      bad[i] = try_image(i, states[static_cast<size_t>(thread)], writer);
    });
    for (auto& entry : bad)
      if (entry) outcome_.bad.push_back(std::move(*entry));
    sort_bad();
  }

  // Reads and decodes one image and gives it to the writer, if there is one; or says what is wrong with it.
  std::optional<BadImage> try_image(size_t i, ThreadState& state, ShardWriter* writer) {
    reader_.read(image(i), state.encoded);
    DecodeReport report;
    try {
      require(!is_coefficient_record(state.encoded),
              "it is a record of a packed set, a JPEG's coefficients: pack the JPEG that it came from");
      decode(state.encoded, state.image, &report);
      if (anew_ && report.warnings == 0) write_anew(state);
    } catch (const Error& error) {
      return bad_image(source_, image(i), error.what());
    } catch (const std::bad_alloc&) {
      fail(Exit::temporary,
           "{}: no memory to decode it: give fewer --threads or ranks a node, and run it again",
           source_.where(image(i)));
    }
    rows_[i].length = static_cast<uint32_t>(state.encoded.size());
    rows_[i].width = static_cast<uint16_t>(state.image.width);
    rows_[i].height = static_cast<uint16_t>(state.image.height);
    rows_[i].warnings = static_cast<uint32_t>(std::min<int64_t>(report.warnings, UINT32_MAX));
    rows_[i].xxh3 = digest64(state.encoded.data(), state.encoded.size());
    if (writer != nullptr) writer->write_image(rows_[i].offset, state.encoded);
    return {};
  }

  std::vector<std::byte> written_anew(const std::vector<std::byte>& encoded, const Image* pixels) const {
    return jpegs_ == Jpegs::coefficients ? as_coefficients(encoded, pixels) : with_restarts(encoded, pixels);
  }

  // What stands for the decoded image in the shard.
  void write_anew(ThreadState& state) {
    auto rewritten = written_anew(state.encoded, &state.image);
    if (rewritten.empty()) return;
    state.encoded = std::move(rewritten);
    ++rewritten_;
  }

  void sort_bad() {
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
      if (anew_ && digest64(encoded.data(), encoded.size()) != rows_[i].xxh3)
        encoded = written_anew(encoded, nullptr);  // the digest says whether it is what was checked
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
  Jpegs jpegs_;
  bool anew_;
  fs::path target_;
  ShardHeader header_;
  std::vector<uint32_t> images_;
  std::vector<ShardRow> rows_;
  std::atomic<int64_t> rewritten_{0};
  ShardOutcome outcome_;
};

}  // namespace

ShardOutcome make_shard(int shard, const PackPlan& plan, const Source& source, SourceReader& reader,
                        const PackOptions& options, const Log& log) {
  if (Maker earlier(shard, plan, source, reader, options); earlier.keep(log)) return earlier.take();
  Maker maker(shard, plan, source, reader, options);
  maker.make();
  return maker.take();
}

}  // namespace convoy

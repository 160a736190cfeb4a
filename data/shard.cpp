#include "data/shard.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/digest.h"
#include "base/error.h"
#include "data/shard_hdf5.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr const char* schema = "convoy.shard/1";

size_t longest(const std::vector<std::string>& texts) {
  size_t bytes = 1;
  for (const auto& text : texts) bytes = std::max(bytes, text.size());
  return bytes;
}

std::vector<Column> columns_of(const ShardHeader& header, size_t rows, uint64_t image_bytes) {
  const auto classes = static_cast<uint64_t>(header.classes.size());
  std::vector<Column> columns = {{"offset", ColumnType::u64, rows},
                                 {"length", ColumnType::u32, rows},
                                 {"label", ColumnType::i32, rows},
                                 {"height", ColumnType::u16, rows},
                                 {"width", ColumnType::u16, rows},
                                 {"warnings", ColumnType::u32, rows},
                                 {"xxh3", ColumnType::u64, rows},
                                 {"row_xxh3", ColumnType::u64, rows},
                                 {"name", ColumnType::text, rows, header.name_width},
                                 {"wnid", ColumnType::text, classes, longest(header.classes.wnids)},
                                 {"class_name", ColumnType::text, classes, longest(header.classes.names)}};
  if (!header.quarantine.empty())
    columns.push_back({"quarantine", ColumnType::text, header.quarantine.size(), longest(header.quarantine)});
  columns.push_back({"images", ColumnType::u8, image_bytes});
  return columns;
}

Hdf5File open_shard(const fs::path& path) {
  return open_hdf5(path,
                   {"offset", "length", "label", "height", "width", "warnings", "xxh3", "row_xxh3", "name",
                    "wnid", "class_name", "quarantine", "images"},
                   {"schema", "plan", "seed", "shard", "shards"});
}

std::string packed(const std::vector<std::string>& texts, size_t width) {
  std::string bytes(texts.size() * width, '\0');
  for (size_t i = 0; i < texts.size(); ++i) texts[i].copy(bytes.data() + i * width, width);
  return bytes;
}

// What a shard of another program or another version lacks is named; types are what columns_of says.
class Columns {
 public:
  explicit Columns(const fs::path& path)
      : path_(path), file_(path, File::Mode::read), layout_(open_shard(path)) {
    const auto found = layout_.texts.find("schema");
    require(found != layout_.texts.end() && found->second == schema,
            "{} is no shard that this program reads (schema {}, wanted {}): pack again", path.string(),
            found == layout_.texts.end() ? "missing" : found->second, schema);
  }
  const Hdf5File& layout() const { return layout_; }
  const Extent1D& extent(const char* name, ColumnType type) const {
    const auto found = layout_.columns.find(name);
    require(found != layout_.columns.end() && found->second.type == type,
            "{}: dataset {} is missing or has another type; pack again", path_.string(), name);
    return found->second;
  }
  template <class T>
  std::vector<T> read(const char* name, ColumnType type) const {
    const Extent1D& at = extent(name, type);
    check_inside(at, name);
    std::vector<T> values(at.rows);
    file_.read_at(at.offset, values.data(), at.bytes());
    return values;
  }
  std::vector<std::string> texts(const char* name) const {
    const Extent1D& at = extent(name, ColumnType::text);
    check_inside(at, name);
    std::string bytes(at.bytes(), '\0');
    file_.read_at(at.offset, bytes.data(), bytes.size());
    std::vector<std::string> values;
    for (size_t i = 0; i < at.rows; ++i) {
      const std::string text = bytes.substr(i * at.row_bytes, at.row_bytes);
      const size_t last = text.find_last_not_of('\0');
      values.push_back(last == std::string::npos ? "" : text.substr(0, last + 1));
    }
    return values;
  }
  uint64_t number(const char* name) const {
    const auto found = layout_.numbers.find(name);
    require(found != layout_.numbers.end(), "{}: attribute {} is missing; pack again", path_.string(), name);
    return found->second;
  }
  const std::string& text(const char* name) const {
    const auto found = layout_.texts.find(name);
    require(found != layout_.texts.end(), "{}: attribute {} is missing; pack again", path_.string(), name);
    return found->second;
  }

 private:
  void check_inside(const Extent1D& at, const char* name) const {
    const uint64_t size = file_.size();
    require(at.offset <= size && at.rows <= (size - at.offset) / std::max<uint64_t>(1, at.row_bytes),
            "{} has {} bytes, but dataset {} needs {} at {}: the file is truncated; copy it again",
            path_.string(), size, name, at.rows * at.row_bytes, at.offset);
  }
  const fs::path& path_;
  File file_;
  Hdf5File layout_;
};

}  // namespace

uint64_t ShardRow::digest() const {
  std::array<char, 32> fixed;
  const auto put = [&fixed](size_t at, auto value) { std::memcpy(fixed.data() + at, &value, sizeof value); };
  put(0, offset), put(8, length), put(12, label), put(16, height), put(18, width), put(20, warnings),
      put(24, xxh3);
  std::string bytes(fixed.data(), fixed.size());
  bytes += name;
  return digest64(bytes.data(), bytes.size());
}

ShardWriter::ShardWriter(const fs::path& path, const ShardHeader& header, size_t rows, uint64_t image_bytes)
    : header_(header),
      image_bytes_(image_bytes),
      file_((create_hdf5(path, columns_of(header, rows, image_bytes),
                         {{"seed", header.seed},
                          {"shard", static_cast<uint64_t>(header.shard)},
                          {"shards", static_cast<uint64_t>(header.shards)}},
                         {{"schema", schema}, {"plan", header.plan}}),
             path),
            File::Mode::update) {
  for (const auto& [name, extent] : open_shard(path).columns)
    places_.push_back({name, extent.offset, extent.bytes()});
  for (const auto& place : places_)
    if (place.column == "images") images_ = place.offset;
  const auto& classes = header.classes;
  const std::string wnids = packed(classes.wnids, longest(classes.wnids));
  const std::string names = packed(classes.names, longest(classes.names));
  put("wnid", wnids.data(), wnids.size());
  put("class_name", names.data(), names.size());
  if (header.quarantine.empty()) return;
  const std::string lines = packed(header.quarantine, longest(header.quarantine));
  put("quarantine", lines.data(), lines.size());
}

void ShardWriter::write_image(uint64_t offset, std::span<const std::byte> encoded) {
  ensure(offset + encoded.size() <= image_bytes_);
  file_.write_at(images_ + offset, encoded.data(), encoded.size());
}

void ShardWriter::finish(const std::vector<ShardRow>& rows) {
  const auto column = [&](const char* name, auto member) {
    using Value = std::decay_t<decltype(member(rows[0]))>;
    std::vector<Value> values;
    for (const auto& row : rows) values.push_back(member(row));
    put(name, values.data(), values.size() * sizeof(Value));
  };
  column("offset", [](const ShardRow& row) { return row.offset; });
  column("length", [](const ShardRow& row) { return row.length; });
  column("label", [](const ShardRow& row) { return row.label; });
  column("height", [](const ShardRow& row) { return row.height; });
  column("width", [](const ShardRow& row) { return row.width; });
  column("warnings", [](const ShardRow& row) { return row.warnings; });
  column("xxh3", [](const ShardRow& row) { return row.xxh3; });
  column("row_xxh3", [](const ShardRow& row) { return row.digest(); });
  std::vector<std::string> texts;
  for (const auto& row : rows) texts.push_back(row.name);
  const std::string names = packed(texts, header_.name_width);
  put("name", names.data(), names.size());
}

void ShardWriter::put(const std::string& column, const void* data, uint64_t bytes) {
  for (const auto& place : places_)
    if (place.column == column) {
      ensure(place.bytes == bytes);
      return file_.write_at(place.offset, data, bytes);
    }
  ensure(false);
}

Shard read_shard(const fs::path& path, Rows mode) {
  const Columns in(path);
  Shard shard;
  shard.path = path;
  shard.header.seed = in.number("seed");
  shard.header.shard = static_cast<int>(in.number("shard"));
  shard.header.shards = static_cast<int>(in.number("shards"));
  shard.header.plan = in.text("plan");
  shard.header.classes = {in.texts("wnid"), in.texts("class_name")};
  if (in.layout().columns.count("quarantine")) shard.header.quarantine = in.texts("quarantine");
  const auto& images = in.extent("images", ColumnType::u8);
  const auto& name_extent = in.extent("name", ColumnType::text);
  shard.image_bytes = images.bytes();
  shard.layout = {images.offset, name_extent.offset, name_extent.row_bytes};
  shard.header.name_width = name_extent.row_bytes;

  const auto offset = in.read<uint64_t>("offset", ColumnType::u64);
  const auto length = in.read<uint32_t>("length", ColumnType::u32);
  const auto label = in.read<int32_t>("label", ColumnType::i32);
  const auto height = in.read<uint16_t>("height", ColumnType::u16),
             width = in.read<uint16_t>("width", ColumnType::u16);
  const auto warnings = in.read<uint32_t>("warnings", ColumnType::u32);
  const auto xxh3 = in.read<uint64_t>("xxh3", ColumnType::u64),
             row_xxh3 = in.read<uint64_t>("row_xxh3", ColumnType::u64);
  const auto names = in.texts("name");
  const size_t rows = offset.size();
  for (const size_t other : {length.size(), label.size(), height.size(), width.size(), warnings.size(),
                             xxh3.size(), row_xxh3.size(), names.size()})
    require(other == rows, "{}: its index columns differ in length ({} and {}); pack again", path.string(),
            rows, other);
  for (size_t i = 0; i < rows; ++i) {
    ShardRow row{offset[i], length[i], label[i], height[i], width[i], warnings[i], xxh3[i], names[i]};
    const bool good = row.digest() == row_xxh3[i] && row.offset <= shard.image_bytes &&
                      row.length <= shard.image_bytes - row.offset && row.label >= 0 &&
                      row.label < shard.header.classes.size();
    if (!good && mode == Rows::check)
      fail(
          "{}: the index of record {} ({}) is damaged; run `convoy verify {}`, then copy the shard again or "
          "pack again",
          path.string(), i, row.name, path.parent_path().string());
    if (!good) shard.bad_rows.push_back(i);
    shard.rows.push_back(std::move(row));
  }
  return shard;
}

std::string shard_name(int shard, int shards) {
  return fmt::format("shard-{:05}-of-{:05}.h5", shard, shards);
}

}  // namespace convoy

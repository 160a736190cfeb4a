// What `convoy pack` and the loader read: images, shards, dataset.json, archives, label files, the development kit.
#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "data/coefficient_record.h"
#include "data/decode.h"
#include "data/devkit.h"
#include "data/jpeg_coefficients.h"
#include "data/jpeg_rewrite.h"
#include "data/manifest.h"
#include "data/shard.h"
#include "data/source.h"
#include "data/source_labels.h"
#include "data/tar.h"
#include "data/verify.h"
#include "scratch.h"

namespace convoy::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr int64_t enough_pixels = int64_t{1}
                                  << 20;  // of what is decoded here: a header's large claim only costs time

// The largest size that any of a JPEG's frame headers claims; of a PNG's, what IHDR says; of coefficients, their header.
int64_t claimed_pixels(Bytes bytes) {
  const auto at = [&](size_t i) { return i < bytes.size() ? std::to_integer<int64_t>(bytes[i]) : 0; };
  if (at(0) == 0x89) {
    const auto number = [&](size_t i) { return at(i) << 24 | at(i + 1) << 16 | at(i + 2) << 8 | at(i + 3); };
    return number(16) > max_image_side ? 0 : number(16) * number(20);
  }
  if (is_coefficient_record(bytes)) return (at(8) | at(9) << 8) * (at(10) | at(11) << 8);
  int64_t most = 0;
  for (size_t i = 0; i + 8 < bytes.size(); ++i)
    if (at(i) == 0xff && at(i + 1) >= 0xc0 && at(i + 1) <= 0xcf)
      most = std::max(most, (at(i + 5) << 8 | at(i + 6)) * (at(i + 7) << 8 | at(i + 8)));
  return most;
}

// A window of each corner's, whose pixels must be those of the whole where nothing is damaged; and the bytes written anew.
void decode_windows(Bytes bytes, const Image& whole, bool damaged) {
  Image part;
  for (int i = 0; i < 4; ++i) {
    Crop window{0, 0, std::max(whole.width * (i + 1) / 5, 1), std::max(whole.height * (4 - i) / 5, 1)};
    if (i % 2 == 1) window.left = whole.width - window.width;
    if (i / 2 == 1) window.top = whole.height - window.height;
    decode_part(
        bytes, [&](int, int) { return window; }, part);
    if (part.rgb.size() != whole.rgb.size()) throw std::logic_error("a part of an image of another size");
    for (int y = window.top; y < window.top + window.height && !damaged; ++y) {
      const auto at = (static_cast<std::ptrdiff_t>(y) * whole.width + window.left) * 3;
      if (!std::equal(part.rgb.begin() + at, part.rgb.begin() + at + 3 * window.width,
                      whole.rgb.begin() + at))
        throw std::logic_error("a part with other pixels than the whole");
    }
  }
  with_restarts(bytes, &whole);
  as_coefficients(bytes, &whole);
}

void decode_one(Bytes bytes) {
  if (const int64_t pixels = claimed_pixels(bytes); pixels > enough_pixels && pixels <= max_image_pixels)
    return;
  DecodeReport report;
  const Image image = decode(bytes, &report);
  if (image.rgb.size() != static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3)
    throw std::logic_error("a buffer of another size than the image");
  decode_windows(bytes, image, report.warnings > 0);
}

void read_shards(Bytes bytes) {
  const fs::path path = written("shard-00000-of-00001.h5", bytes);
  const Shard shard = read_shard(path, Rows::tolerate);
  check_records(shard, 1);
  read_shard(path);
}

// Its digest is made to fit first: otherwise nothing but damage would be seen.
void read_manifests(Bytes bytes) {
  std::string text = as_text(bytes);
  constexpr std::string_view key = "\"digest_of_this_file\": \"";
  const size_t at = text.rfind(key) + key.size();
  if (text.rfind(key) != std::string::npos && at + 32 <= text.size()) {
    Digest digest;
    digest.add(text.replace(at, 32, std::string(32, '0')));
    text.replace(at, 32, digest.hex());
  }
  const Manifest manifest = parse_manifest(text, "dataset.json");
  for (const ShardEntry& shard : manifest.shards)
    if (fs::path(shard.file).has_parent_path() || shard.file == "..")
      throw std::logic_error("a shard outside of its folder");
  if (manifest.classes.names.size() != manifest.histogram.size())
    throw std::logic_error("classes and counts differ");
}

void read_tars(Bytes bytes) {
  const fs::path path = written("a.tar", bytes);
  const File file(path, File::Mode::read);
  for (const TarMember& member : list_tar(file))
    if (member.offset > bytes.size() || member.size > bytes.size() - member.offset)
      throw std::logic_error("a member outside of the archive");
  PackOptions options;
  options.source = path;
  options.threads = 1;
  const Source source = list_source(options, Log{});
  SourceReader reader(source);
  std::vector<std::byte> content;
  for (const SourceImage& image : source.images) reader.read(image, content);
  if (source_from_bytes(to_bytes(source)).images.size() != source.images.size())
    throw std::logic_error("a list that does not come back as it was");
}

void read_labels(Bytes bytes) {
  const std::vector<Bytes> parts = parts_of(bytes, 2);
  const LabelFile labels = parse_labels("labels.txt", as_text(parts[0]));
  ClassTable classes = classes_named_by(labels);
  if (!parts[1].empty()) classes = read_classes(written("classes.txt", parts[1]));
  std::vector<std::string> names;
  for (const auto& [name, label] : labels.named) names.push_back(name);
  names.resize(std::max(names.size(), labels.ground_truth.size()), "image.JPEG");
  std::unordered_map<int64_t, std::string> wnids;
  for (int i = 0; i < classes.size(); ++i) wnids[i + 1] = classes.wnids[static_cast<size_t>(i)];
  for (const int32_t label : label_images(names, labels, classes, wnids))
    if (label < 0 || label >= classes.size()) throw std::logic_error("a label that is no class");
}

void read_devkits(Bytes bytes) {
  const Devkit devkit = read_devkit(written("meta.mat", bytes));
  if (devkit.wnid_of_id.size() != devkit.classes.wnids.size())
    throw std::logic_error("ids and classes differ");
}

}  // namespace

std::vector<Reader> data_readers() {
  return {{"jpeg", decode_one},    {"png", decode_one},          {"coefficients", decode_one},
          {"shard", read_shards},  {"manifest", read_manifests}, {"tar", read_tars},
          {"labels", read_labels}, {"devkit", read_devkits}};
}

}  // namespace convoy::fuzz

#include "data/devkit.h"

#include <matio.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "data/tar.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr const char* ground_truth_name = "ILSVRC2012_validation_ground_truth.txt";

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "convoy-devkit-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail_errno(errno, fmt::format("cannot create {}", name));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Numbers come as double, or as whatever small integer MATLAB chose.
std::optional<int64_t> integer(const matvar_t* value) {
  if (value == nullptr || value->data == nullptr || value->nbytes < static_cast<size_t>(value->data_size))
    return {};
  switch (value->class_type) {
    case MAT_C_DOUBLE:
      return static_cast<int64_t>(*static_cast<const double*>(value->data));
    case MAT_C_SINGLE:
      return static_cast<int64_t>(*static_cast<const float*>(value->data));
    case MAT_C_INT8:
      return *static_cast<const int8_t*>(value->data);
    case MAT_C_UINT8:
      return *static_cast<const uint8_t*>(value->data);
    case MAT_C_INT16:
      return *static_cast<const int16_t*>(value->data);
    case MAT_C_UINT16:
      return *static_cast<const uint16_t*>(value->data);
    case MAT_C_INT32:
      return *static_cast<const int32_t*>(value->data);
    case MAT_C_UINT32:
      return *static_cast<const uint32_t*>(value->data);
    case MAT_C_INT64:
      return *static_cast<const int64_t*>(value->data);
    case MAT_C_UINT64:
      return static_cast<int64_t>(*static_cast<const uint64_t*>(value->data));
    default:
      return {};
  }
}

std::string text(const matvar_t* value) {
  std::string result;
  if (value == nullptr || value->class_type != MAT_C_CHAR || value->data == nullptr) return result;
  const size_t unit = static_cast<size_t>(std::max(1, value->data_size));
  const auto* bytes = static_cast<const unsigned char*>(value->data);
  for (size_t i = 0; i + unit <= value->nbytes; i += unit) {  // UTF-16 is only used for plain text here
    const unsigned code = unit == 2 ? bytes[i] | bytes[i + 1] << 8u : bytes[i];
    result += code < 0x80 || unit == 1 ? static_cast<char>(code) : '?';
  }
  return result;
}

Devkit read_meta(const fs::path& path) {
  read_text(path);  // the system's own words for a file that cannot be read
  const std::unique_ptr<mat_t, int (*)(mat_t*)> mat(Mat_Open(path.c_str(), MAT_ACC_RDONLY), Mat_Close);
  require(mat != nullptr, "{} is no MATLAB file: give data/meta.mat of the devkit", path.string());
  const std::unique_ptr<matvar_t, void (*)(matvar_t*)> synsets(Mat_VarRead(mat.get(), "synsets"),
                                                               Mat_VarFree);
  require(synsets && synsets->class_type == MAT_C_STRUCT && synsets->rank == 2,
          "{} has no struct array \"synsets\": give data/meta.mat of the ILSVRC2012 devkit", path.string());
  std::map<std::string, std::string> leaves;
  Devkit devkit;
  const size_t count = synsets->dims[0] * synsets->dims[1];
  for (size_t i = 0; i < count; ++i) {
    const auto entry = [&](const char* name) { return Mat_VarGetStructFieldByName(synsets.get(), name, i); };
    const auto children = integer(entry("num_children")), id = integer(entry("ILSVRC2012_ID"));
    const std::string wnid = text(entry("WNID"));
    require(children && id && !wnid.empty(), "{}: synset {} lacks ILSVRC2012_ID, WNID or num_children",
            path.string(), i + 1);
    if (*children != 0) continue;
    require(devkit.wnid_of_id.emplace(*id, wnid).second && leaves.emplace(wnid, text(entry("words"))).second,
            "{}: the leaf synset {} {} is there twice", path.string(), *id, wnid);
  }
  for (const auto& [wnid, words] : leaves) {
    devkit.classes.wnids.push_back(wnid);
    devkit.classes.names.push_back(words.empty() ? wnid : words);
  }
  require(!leaves.empty(), "{} has no leaf synsets", path.string());
  return devkit;
}

void gunzip(const fs::path& from, const fs::path& to) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(from.c_str(), "rb"), gzclose);
  require(in != nullptr, "cannot open {}", from.string());
  File out(to, File::Mode::create);
  std::vector<char> buffer(1 << 20);
  uint64_t at = 0;
  while (true) {
    const int got = gzread(in.get(), buffer.data(), static_cast<unsigned>(buffer.size()));
    int code = 0;
    require(got >= 0, "{} cannot be unpacked: {}; get the devkit again", from.string(),
            gzerror(in.get(), &code));
    if (got == 0) return;
    out.write_at(at, buffer.data(), static_cast<size_t>(got));
    at += static_cast<uint64_t>(got);
  }
}

Devkit read_archive(const fs::path& path) {
  const TemporaryFolder folder;
  gunzip(path, folder.path() / "devkit.tar");
  const File tar(folder.path() / "devkit.tar", File::Mode::read);
  std::optional<std::string> meta, truth;
  for (const auto& member : list_tar(tar, 0, tar.size(), path.string())) {
    const std::string name = fs::path(member.name).filename().string();
    if (!member.is_file() || (name != "meta.mat" && name != ground_truth_name)) continue;
    std::string content(member.size, '\0');
    tar.read_at(member.offset, content.data(), content.size());
    (name == "meta.mat" ? meta : truth) = std::move(content);
  }
  require(meta.has_value(), "{} holds no meta.mat: give ILSVRC2012_devkit_t12.tar.gz", path.string());
  replace_file(folder.path() / "meta.mat", *meta);  // matio reads only named files
  Devkit devkit = read_meta(folder.path() / "meta.mat");
  devkit.ground_truth = truth.value_or("");
  devkit.ground_truth_path = path / ground_truth_name;
  return devkit;
}

}  // namespace

Devkit read_devkit(const fs::path& path) {
  if (path.extension() == ".gz" || path.extension() == ".tgz") return read_archive(path);
  if (!fs::is_directory(path)) return read_meta(path);
  for (const auto& folder : {path / "data", path}) {
    if (!fs::exists(folder / "meta.mat")) continue;
    Devkit devkit = read_meta(folder / "meta.mat");
    devkit.ground_truth_path = folder / ground_truth_name;
    if (fs::exists(devkit.ground_truth_path)) devkit.ground_truth = read_text(devkit.ground_truth_path);
    return devkit;
  }
  fail("{} has no data/meta.mat: give the folder of the unpacked ILSVRC2012 devkit", path.string());
}

}  // namespace convoy

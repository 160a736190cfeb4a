#include "data/devkit.h"

#include <zlib.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "data/mat_file.h"
#include "data/tar.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t largest_devkit = uint64_t{256} << 20;  // unpacked; ImageNet's has some 5 MB
constexpr const char* ground_truth_name = "ILSVRC2012_validation_ground_truth.txt";

Devkit read_meta(const fs::path& path) {
  const MatStructs synsets(path, "synsets");
  std::map<std::string, std::string> leaves;
  Devkit devkit;
  for (size_t i = 0; i < synsets.size(); ++i) {
    const auto children = synsets.whole(i, "num_children"), id = synsets.whole(i, "ILSVRC2012_ID");
    const std::string wnid = synsets.text(i, "WNID");
    require(children && id && !wnid.empty(), "{}: synset {} lacks ILSVRC2012_ID, WNID or num_children",
            path.string(), i + 1);
    if (*children != 0) continue;
    require(
        devkit.wnid_of_id.emplace(*id, wnid).second && leaves.emplace(wnid, synsets.text(i, "words")).second,
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
    require(at <= largest_devkit,
            "{} unpacks to more than {} bytes, which no devkit has; get the devkit again", from.string(),
            largest_devkit);
  }
}

Devkit read_archive(const fs::path& path) {
  const TemporaryFolder folder("convoy-devkit");
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
  replace_file(folder.path() / "meta.mat", *meta);
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

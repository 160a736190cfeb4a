#include "data/source_walk.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "data/parallel.h"
#include "data/tar.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr size_t longest_name = 1024;

std::string extension_of(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

// By name alone; what the bytes are is found out by decoding. "._x" is a Macintosh's resource fork of x.
bool is_image_name(const std::string& base) {
  static constexpr std::array extensions{".jpeg", ".jpg", ".jpe", ".png"};
  return !base.starts_with(".") &&
         std::find(extensions.begin(), extensions.end(), extension_of(base)) != extensions.end();
}

bool is_tar_name(const std::string& base) { return !base.starts_with(".") && extension_of(base) == ".tar"; }

void skip(Source& source, const std::string& name) {
  ++source.skipped;
  if (source.skipped_examples.size() < 5) source.skipped_examples.push_back(name);
}

void add(Source& source, std::string name, int32_t archive, uint64_t offset, uint64_t length) {
  if (name.size() > longest_name || name.find_first_of("\n\t\r") != std::string::npos)
    fail("{}: an image's name is longer than {} bytes or holds line breaks: rename it ({})",
         source.root.string(), longest_name, name.substr(0, 60));
  if (length > std::numeric_limits<uint32_t>::max())
    fail("{}: {} has {} bytes: that is no image", source.root.string(), name, length);
  source.images.push_back({std::move(name), -1, archive, offset, static_cast<uint32_t>(length)});
}

// `wnid`: the class of everything inside, "" = flat or from the members' own folders.
void add_tar(Source& source, const File& file, int32_t archive, uint64_t begin, uint64_t end,
             const std::string& what, const std::string& wnid, bool flat) {
  const auto members = list_tar(file, begin, end, what);
  std::unordered_map<std::string_view, const TarMember*> files;  // by name, the first of it
  for (const auto& member : members)
    if (member.is_file()) files.emplace(member.name, &member);
  for (const auto& member : members) {
    const fs::path path(member.name);
    const std::string base = path.filename().string();
    const TarMember* content = &member;
    if (member.type == '1') {  // a hard link: the bytes of an earlier member
      const auto target = files.find(member.link);
      if (target == files.end())
        fail("{}: {} is a link to {}, which is not in the archive", what, member.name, member.link);
      content = target->second;
    }
    if (!content->is_file() || !is_image_name(base)) {
      skip(source, member.name);
      continue;
    }
    const std::string folder = wnid.empty() ? path.parent_path().filename().string() : wnid;
    if (!flat && (folder == "" || folder == "." || folder == ".."))
      fail("{}: {} lies in no class folder; for a flat set give --labels (and --classes)", what, member.name);
    add(source, flat ? base : folder + "/" + base, archive, content->offset, content->size);
  }
}

// The pieces of a list made by several threads, put together in order.
void append(Source& source, std::vector<Source>& parts) {
  for (auto& part : parts) {
    std::move(part.images.begin(), part.images.end(), std::back_inserter(source.images));
    source.skipped += part.skipped;
    for (const auto& example : part.skipped_examples)
      if (source.skipped_examples.size() < 5) source.skipped_examples.push_back(example);
  }
}

void walk_tar(Source& source, bool flat, int threads) {
  const File file(source.root, File::Mode::read);
  source.archives = {source.root};
  std::vector<TarMember> inner, others;
  for (auto& member : list_tar(file)) {
    const bool tar = member.is_file() && is_tar_name(fs::path(member.name).filename().string());
    (tar ? inner : others).push_back(std::move(member));
  }
  const std::string name = source.root.filename().string();
  if (inner.empty()) {
    source.description = (flat ? "a flat tar, " : "a tar of class folders, ") + name;
    add_tar(source, file, 0, 0, file.size(), source.root.string(), "", flat);
    return;
  }
  for (const auto& member : others) {
    if (member.type != '5' && is_image_name(fs::path(member.name).filename().string()))
      fail(
          "{}: the image {} stands beside inner tars such as {}: make a tar of class folders or of class "
          "tars, not of both",
          source.root.string(), member.name, inner[0].name);
    skip(source, member.name);
  }
  source.description = "a tar of tars, " + name;
  std::vector<Source> parts(inner.size());
  parallel_for(static_cast<int64_t>(inner.size()), threads, [&](int64_t i, int) {
    const auto& member = inner[static_cast<size_t>(i)];
    auto& part = parts[static_cast<size_t>(i)];
    part.root = source.root;
    add_tar(part, file, 0, member.offset, member.offset + member.size,
            source.root.string() + ", inner " + member.name, fs::path(member.name).stem().string(), flat);
  });
  append(source, parts);
}

void walk_class_tars(Source& source, const std::vector<fs::path>& tars, bool flat, int threads) {
  source.description = "a folder of class tars, " + source.root.filename().string();
  source.archives = tars;
  std::vector<Source> parts(tars.size());
  parallel_for(static_cast<int64_t>(tars.size()), threads, [&](int64_t i, int) {
    const File file(tars[static_cast<size_t>(i)], File::Mode::read);
    auto& part = parts[static_cast<size_t>(i)];
    part.root = source.root;
    add_tar(part, file, static_cast<int32_t>(i), 0, file.size(), file.path().string(),
            file.path().stem().string(), flat);
  });
  append(source, parts);
}

std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator iterator(folder, error);
  if (error) fail_errno(error.value(), "cannot list the folder " + folder.string());
  std::vector<fs::directory_entry> entries(iterator, fs::directory_iterator{});
  std::sort(entries.begin(), entries.end());
  return entries;
}

void add_files(Source& source, const fs::path& folder, const std::string& prefix) {
  for (const auto& entry : entries_of(folder)) {
    const std::string base = entry.path().filename().string();
    std::error_code error;
    const bool file = entry.is_regular_file(error);  // follows links
    if (!is_image_name(base) || entry.is_directory(error))
      skip(source, prefix + base);
    else if (!file)
      fail("{} is neither a file nor a link to one: repair or remove it", entry.path().string());
    else
      add(source, prefix + base, -1, 0, entry.file_size());
  }
}

void walk_folder(Source& source, bool flat, int threads) {
  const std::string name = source.root.filename().empty() ? source.root.parent_path().filename().string()
                                                          : source.root.filename().string();
  if (flat) {
    source.description = "a flat folder, " + name;
    add_files(source, source.root, "");
    return;
  }
  std::vector<fs::path> classes, tars;
  for (const auto& entry : entries_of(source.root)) {
    const std::string base = entry.path().filename().string();
    if (entry.is_directory() && !base.starts_with("."))
      classes.push_back(entry.path());
    else if (is_tar_name(base))
      tars.push_back(entry.path());
    else
      skip(source, base);
  }
  if (classes.empty() && !tars.empty()) return walk_class_tars(source, tars, flat, threads);
  source.description = "a folder of classes, " + name;
  std::vector<Source> parts(classes.size());
  parallel_for(static_cast<int64_t>(classes.size()), threads, [&](int64_t i, int) {
    auto& part = parts[static_cast<size_t>(i)];
    const auto& folder = classes[static_cast<size_t>(i)];
    part.root = source.root;
    add_files(part, folder, folder.filename().string() + "/");
    require(!part.images.empty(), "the class folder {} holds no JPEG or PNG image: fill or remove it",
            folder.string());
  });
  append(source, parts);
  for (const auto& tar : tars) skip(source, tar.filename().string());
}

}  // namespace

Source walk_source(const fs::path& root, bool flat, int threads) {
  Source source;
  source.root = root;
  if (fs::is_directory(root))
    walk_folder(source, flat, threads);
  else
    walk_tar(source, flat, threads);
  return source;
}

}  // namespace convoy

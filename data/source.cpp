#include "data/source.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "data/devkit.h"
#include "data/parallel.h"
#include "data/source_walk.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

// The class is the name's first part: "n01440764/n01440764_10026.JPEG".
void label_by_folder(Source& source, const fs::path& table_path) {
  if (source.classes.wnids.empty()) {
    std::set<std::string> wnids;
    for (const auto& image : source.images) wnids.insert(image.name.substr(0, image.name.find('/')));
    source.classes.wnids.assign(wnids.begin(), wnids.end());
    source.classes.names = source.classes.wnids;
  }
  std::map<std::string, int32_t> index;
  for (int i = 0; i < source.classes.size(); ++i) index[source.classes.wnids[static_cast<size_t>(i)]] = i;
  for (auto& image : source.images) {
    const std::string wnid = image.name.substr(0, image.name.find('/'));
    const auto found = index.find(wnid);
    if (found == index.end())
      fail("{}: class {} is not among the {} classes of {}", source.root.string(), wnid, index.size(),
           table_path.string());
    image.label = found->second;
  }
}

void label_by_file(Source& source, const LabelFile& labels, const Devkit& devkit) {
  if (source.classes.wnids.empty()) source.classes = classes_named_by(labels);
  require(!source.classes.wnids.empty(),
          "{} holds class numbers but no wnids: give the class table with --classes (a list of wnids, or the "
          "packed training set)",
          labels.path.string());
  std::vector<std::string> names;
  for (const auto& image : source.images) names.push_back(image.name);
  const auto found = label_images(names, labels, source.classes, devkit.wnid_of_id);
  for (size_t i = 0; i < found.size(); ++i) source.images[i].label = found[i];
}

struct Labels {
  bool wanted = false;  // the set is flat
  LabelFile file;
  Devkit devkit;
};

// Labels come as a file, or as the devkit itself; a ground truth's meta.mat lies beside it or is named.
Labels find_labels(const PackOptions& options) {
  Labels labels;
  const bool kit = fs::is_directory(options.labels) || options.labels.extension() == ".gz" ||
                   options.labels.extension() == ".tgz";
  const fs::path beside = options.labels.parent_path() / "meta.mat";
  if (kit)
    labels.devkit = read_devkit(options.labels);
  else if (!options.devkit_meta.empty())
    labels.devkit = read_devkit(options.devkit_meta);
  labels.wanted = !options.labels.empty();
  if (!labels.wanted) return labels;
  if (!kit)
    labels.file = parse_labels(options.labels, read_text(options.labels));
  else {
    require(!labels.devkit.ground_truth.empty(),
            "{} holds no validation ground truth: give the label file itself with --labels",
            options.labels.string());
    labels.file = parse_labels(labels.devkit.ground_truth_path, labels.devkit.ground_truth);
  }
  if (!labels.file.ground_truth.empty() && labels.devkit.wnid_of_id.empty() && fs::exists(beside))
    labels.devkit = read_devkit(beside);
  require(
      labels.file.ground_truth.empty() || !labels.devkit.wnid_of_id.empty(),
      "{} holds ILSVRC2012_IDs, which are not class indices: give the devkit's meta.mat with --devkit-meta",
      labels.file.path.string());
  return labels;
}

void sort_and_check(Source& source, const Log& log) {
  auto& images = source.images;
  std::string seen;
  for (const auto& example : source.skipped_examples) seen += (seen.empty() ? " (" : ", ") + example;
  require(!images.empty(),
          "{} holds no JPEG or PNG image{}: give a folder with one folder per class, a tar of such, or a "
          "flat set with --labels",
          source.root.string(), seen.empty() ? "" : ", only others" + seen + ")");
  std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (size_t i = 1; i < images.size(); ++i)
    if (images[i].name == images[i - 1].name)
      fail("{}: {} is there twice, at {} and at {}; was the set packed twice into one archive?",
           source.root.string(), images[i].name, source.where(images[i - 1]), source.where(images[i]));
  require(images.size() <= std::numeric_limits<uint32_t>::max(),
          "{}: {} images are more than a dataset can number", source.root.string(), images.size());
  if (source.skipped > 0)
    log.info("{}: {} entries are no images by their name and are left out{}", source.root.string(),
             source.skipped, seen.empty() ? "" : seen + (source.skipped > 5 ? ", ...)" : ")"));
}

void report(const Source& source, const Log& log) {
  std::vector<int64_t> histogram(source.classes.wnids.size());
  for (const auto& image : source.images) ++histogram[static_cast<size_t>(image.label)];
  const auto [least, most] = std::minmax_element(histogram.begin(), histogram.end());
  log.info("{}: {} images of {} classes, {} to {} a class", source.description, source.images.size(),
           source.classes.size(), *least, *most);
  const size_t count = std::min<size_t>(5, source.images.size());
  for (size_t i = 0; i < count; ++i) {
    const auto& image = source.images[i * source.images.size() / count];
    const auto label = static_cast<size_t>(image.label);
    log.info("  {} is class {}: {}, {}", image.name, label, source.classes.wnids[label],
             source.classes.names[label]);
  }
}

}  // namespace

std::string Source::where(const SourceImage& image) const {
  if (image.archive < 0) return (root / image.name).string();
  return fmt::format("{}, byte {}", archives[static_cast<size_t>(image.archive)].string(), image.offset);
}

Source list_source(const PackOptions& options, const Log& log) {
  require(fs::exists(options.source), "{} does not exist: give the folder or tar of images to pack",
          options.source.string());
  const Labels labels = find_labels(options);
  Source source = walk_source(options.source, labels.wanted, thread_count(options.threads));
  source.classes = options.classes.empty() ? labels.devkit.classes : read_classes(options.classes);
  sort_and_check(source, log);
  if (labels.wanted)
    label_by_file(source, labels.file, labels.devkit);
  else
    label_by_folder(source, options.classes.empty() ? options.devkit_meta : options.classes);
  require(
      source.classes.size() >= 2,
      "{} has one class only, {}: there is nothing to learn; give the folder that holds one folder per class",
      options.source.string(), source.classes.wnids[0]);
  report(source, log);
  return source;
}

void SourceReader::read(const SourceImage& image, std::vector<std::byte>& into) {
  into.resize(image.length);
  if (image.archive >= 0) {
    archives_.get(static_cast<size_t>(image.archive))->read_at(image.offset, into.data(), into.size());
    return;
  }
  const File file(source_.root / image.name, File::Mode::read);
  const uint64_t bytes = file.size();
  if (bytes != image.length)
    fail("{} has {} bytes now and had {} when it was listed: the source changes while it is packed",
         file.path().string(), bytes, image.length);
  file.read_at(0, into.data(), into.size());
}

}  // namespace convoy

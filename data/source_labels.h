// Who is which class, as people have it on disk: the table of classes (its order gives the class indices) and the label
// files of flat validation sets. Classes are known by wnid, never by English name: two pairs of ImageNet's share theirs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

namespace convoy {

struct ClassTable {
  std::vector<std::string> wnids;  // folder names, where the classes are no WordNet ids
  std::vector<std::string> names;  // English names; equal to the wnid where no table says better
  int size() const { return static_cast<int>(wnids.size()); }
  bool operator==(const ClassTable&) const = default;
};

// A list of wnids, one a line, or a table with a wnid column (tabs, or "wnid words"; a heading and index columns are
// recognized), or the folder of a packed dataset, whose table is taken.
ClassTable read_classes(const std::filesystem::path& path);

// Lines "name<tab, space or comma>wnid or 0-based class index", or the devkit's ground truth: one number a line.
struct LabelFile {
  std::filesystem::path path;
  std::vector<std::pair<std::string, std::string>> named;  // empty if the file is a ground truth
  std::vector<int64_t> ground_truth;  // ILSVRC2012_ID (1-based), images in the order of their names
};
LabelFile parse_labels(const std::filesystem::path& path, const std::string& text);

// Class indices of `images` (base names, ascending). `wnid_of_id` is the devkit's table and only needed for a ground
// truth. An image without a label, a label that is no class, or a count that does not fit is an error.
std::vector<int32_t> label_images(const std::vector<std::string>& images, const LabelFile& labels,
                                  const ClassTable& classes,
                                  const std::unordered_map<int64_t, std::string>& wnid_of_id);

// The wnids that a label file itself names, sorted; empty when it holds numbers.
ClassTable classes_named_by(const LabelFile& labels);

}  // namespace convoy

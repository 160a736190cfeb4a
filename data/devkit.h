// ImageNet's development kit. Its ILSVRC2012_IDs (1 to 1000) are NOT class indices: id -> wnid is read from the leaf
// synsets (num_children == 0) of meta.mat, and the class index is the wnid's place in the sorted list of them. Taking
// the id for the index trains a model that scores 0.1 % however good it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>

#include "data/source_labels.h"

namespace convoy {

struct Devkit {
  std::unordered_map<int64_t, std::string> wnid_of_id;  // leaf synsets
  ClassTable classes;                                   // sorted wnids with the devkit's English words
  std::string ground_truth;                 // text of ..._validation_ground_truth.txt, "" where not found
  std::filesystem::path ground_truth_path;  // for messages
};

// `path`: meta.mat, the unpacked devkit's folder, or ILSVRC2012_devkit_t12.tar.gz.
Devkit read_devkit(const std::filesystem::path& path);

}  // namespace convoy

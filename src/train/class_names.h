// classes.json in a run's folder: who is class 0, 1, ..., for those who read predictions. Written when a run begins, from
// its training set; runs older than this file have none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace convoy {

struct ClassName {
  std::string wnid, name;  // equal where the classes have no other name
  bool operator==(const ClassName&) const = default;
};

void write_class_names(const std::filesystem::path& path, const std::vector<ClassName>& classes);
std::vector<ClassName> read_class_names(const std::filesystem::path& path);

// The table alone, as it is also found in exported files.
std::string class_names_json(const std::vector<ClassName>& classes);
// Throws if it is no such table, naming `where`.
std::vector<ClassName> parse_class_names(const std::string& json, const std::string& where);

}  // namespace convoy

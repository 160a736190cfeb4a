#include "data/source_labels.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "data/manifest.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.pop_back();
    if (lines.empty() && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> split(std::string_view line, std::string_view separators, size_t at_most) {
  std::vector<std::string> parts;
  while (parts.size() + 1 < at_most) {
    const size_t end = line.find_first_of(separators);
    if (end == std::string_view::npos) break;
    parts.emplace_back(line.substr(0, end));
    const size_t next = line.find_first_not_of(separators, end);
    line.remove_prefix(next == std::string_view::npos ? line.size() : next);
  }
  parts.emplace_back(line);
  return parts;
}

bool number(std::string_view text, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_wnid(std::string_view text) {
  int64_t digits = 0;
  return text.size() == 9 && text[0] == 'n' && number(text.substr(1), digits);
}

std::string stem(const std::string& name) { return name.substr(0, name.rfind('.')); }

// The column that holds wnids: the one headed so, else the first where every row has one, else the first not a number.
size_t wnid_column(std::vector<std::vector<std::string>>& rows) {
  const auto head = std::find(rows[0].begin(), rows[0].end(), "wnid");
  if (head != rows[0].end()) {
    const auto column = static_cast<size_t>(head - rows[0].begin());
    rows.erase(rows.begin());
    return column;
  }
  size_t columns = rows[0].size();
  for (const auto& row : rows) columns = std::min(columns, row.size());
  for (size_t c = 0; c < columns; ++c)
    if (std::all_of(rows.begin(), rows.end(), [c](const auto& row) { return is_wnid(row[c]); })) return c;
  int64_t ignored = 0;
  return columns > 1 && number(rows[0][0], ignored) ? 1 : 0;
}

int32_t class_of(const std::string& label, const std::unordered_map<std::string, int32_t>& index, int classes,
                 const LabelFile& file, const std::string& image) {
  if (const auto found = index.find(label); found != index.end()) return found->second;
  int64_t value = -1;
  if (!number(label, value))
    fail("{}: {} is labelled {}, which is none of the {} classes; check --classes", file.path.string(), image,
         label, classes);
  if (value < 0 || value >= classes)
    fail(
        "{}: {} has class index {}, but the classes are 0 to {}: indices must count from 0 in the order of "
        "--classes",
        file.path.string(), image, value, classes - 1);
  return static_cast<int32_t>(value);
}

}  // namespace

ClassTable read_classes(const fs::path& path) {
  if (fs::is_directory(path)) return read_manifest(path).classes;
  std::vector<std::vector<std::string>> rows;
  for (const auto& line : lines_of(read_text(path)))
    rows.push_back(line.find('\t') != std::string::npos ? split(line, "\t", 16) : split(line, " ", 2));
  require(!rows.empty(), "{} names no class: give a list of wnids, one a line", path.string());
  const size_t column = wnid_column(rows);
  ClassTable table;
  for (const auto& row : rows) {
    require(column < row.size(), "{}: the line that begins with \"{}\" has no wnid in column {}",
            path.string(), row[0], column + 1);
    table.wnids.push_back(row[column]);
    table.names.push_back(row.back());
  }
  const std::set<std::string> unique(table.wnids.begin(), table.wnids.end());
  require(unique.size() == table.wnids.size(),
          "{}: {} lines name only {} different classes; remove the double ones", path.string(),
          table.wnids.size(), unique.size());
  return table;
}

LabelFile parse_labels(const fs::path& path, const std::string& text) {
  LabelFile file;
  file.path = path;
  for (const auto& line : lines_of(text)) {
    const auto parts = split(line, "\t, ", 3);
    int64_t id = 0;
    if (parts.size() == 1 && number(parts[0], id))
      file.ground_truth.push_back(id);
    else if (parts.size() >= 2 && parts[0] != "ImageId")  // Kaggle's LOC_val_solution.csv has a heading
      file.named.emplace_back(fs::path(parts[0]).filename().string(), parts[1]);
    else
      require(parts.size() >= 2, "{}: the line \"{}\" is neither \"image label\" nor a number", path.string(),
              line);
  }
  require(file.named.empty() || file.ground_truth.empty(),
          "{}: some lines are \"image label\" and some are lone numbers; give one kind", path.string());
  require(!file.named.empty() || !file.ground_truth.empty(), "{} holds no labels", path.string());
  return file;
}

std::vector<int32_t> label_images(const std::vector<std::string>& images, const LabelFile& labels,
                                  const ClassTable& classes,
                                  const std::unordered_map<int64_t, std::string>& wnid_of_id) {
  std::unordered_map<std::string, int32_t> index;
  for (int i = 0; i < classes.size(); ++i) index[classes.wnids[static_cast<size_t>(i)]] = i;
  std::vector<int32_t> result;
  result.reserve(images.size());
  if (!labels.ground_truth.empty()) {
    require(labels.ground_truth.size() == images.size(),
            "{} has {} labels, but there are {} images: they do not belong together", labels.path.string(),
            labels.ground_truth.size(), images.size());
    for (size_t i = 0; i < images.size(); ++i) {
      const auto wnid = wnid_of_id.find(labels.ground_truth[i]);
      if (wnid == wnid_of_id.end())
        fail("{}: line {} has id {}, which is no leaf synset of the devkit's meta.mat", labels.path.string(),
             i + 1, labels.ground_truth[i]);
      result.push_back(class_of(wnid->second, index, classes.size(), labels, images[i]));
    }
    return result;
  }
  std::unordered_map<std::string, std::string> by_name;
  for (const auto& [name, label] : labels.named) {
    const auto [known, added] = by_name.emplace(stem(name), label);
    if (!added && known->second != label)
      fail("{} labels {} twice, as {} and as {}", labels.path.string(), name, known->second, label);
  }
  for (const auto& image : images) {
    const auto label = by_name.find(stem(image));
    if (label == by_name.end())
      fail("{} has no label for {} ({} labels, {} images)", labels.path.string(), image, labels.named.size(),
           images.size());
    result.push_back(class_of(label->second, index, classes.size(), labels, image));
  }
  return result;
}

ClassTable classes_named_by(const LabelFile& labels) {
  std::set<std::string> wnids;
  int64_t ignored = 0;
  for (const auto& [name, label] : labels.named) {
    if (number(label, ignored)) return {};
    wnids.insert(label);
  }
  ClassTable table;
  table.wnids.assign(wnids.begin(), wnids.end());
  table.names = table.wnids;
  return table;
}

}  // namespace convoy

#include "train/class_names.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* schema = "convoy.classes/1";

}  // namespace

std::string class_names_json(const std::vector<ClassName>& classes) {
  Json table = Json::array();
  for (const ClassName& one : classes) table.push_back({{"wnid", one.wnid}, {"name", one.name}});
  return Json({{"schema", schema}, {"classes", table}}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<ClassName> parse_class_names(const std::string& text, const std::string& where) {
  std::vector<ClassName> classes;
  try {
    const Json json = Json::parse(text);
    require(json.at("schema") == schema, "{}: its schema is not {}", where, schema);
    for (const Json& one : json.at("classes"))
      classes.push_back({one.at("wnid").get<std::string>(), one.at("name").get<std::string>()});
  } catch (const Json::exception&) {
    fail("{} holds no table of classes (schema {}): remove it, or name a table with --classes", where,
         schema);
  }
  return classes;
}

void write_class_names(const std::filesystem::path& path, const std::vector<ClassName>& classes) {
  replace_file(path, class_names_json(classes) + "\n");
}

std::vector<ClassName> read_class_names(const std::filesystem::path& path) {
  return parse_class_names(read_text(path), path.string());
}

}  // namespace convoy

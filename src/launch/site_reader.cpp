#include "launch/site_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/duration.h"
#include "base/error.h"
#include "base/text.h"

namespace convoy {

SiteTable::SiteTable(const toml::table& table, std::string section, std::string file)
    : table_(table), section_(std::move(section)), file_(std::move(file)) {}

std::string SiteTable::where(const toml::node& node) const {
  return fmt::format("{}:{}", file_, node.source().begin.line);
}

std::string SiteTable::full(const std::string& key) const {
  return section_.empty() ? key : section_ + "." + key;
}

const toml::node* SiteTable::take(const char* key) {
  known_.emplace_back(key);
  return table_.get(key);
}

// Values end up in one line of a script each, so none may hold another.
std::string SiteTable::line_of(const toml::node& node, const std::string& key, const char* wanted) const {
  require(node.is_string(), Exit::usage, "{}: {} must be {}", where(node), full(key), wanted);
  const std::string value = node.as_string()->get();
  require(value.find_first_of("\n\r") == std::string::npos, Exit::usage, "{}: {} must be one line",
          where(node), full(key));
  return value;
}

void SiteTable::text(const char* key, std::string& into) {
  if (const toml::node* node = take(key)) into = line_of(*node, key, "a text in quotes");
}

void SiteTable::word(const char* key, std::string& into, const std::vector<std::string>& choices) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  into = line_of(*node, key, "a text in quotes");
  if (std::ranges::find(choices, into) != choices.end()) return;
  const std::string near = nearest(into, choices);
  fail(Exit::usage, "{}: {} = \"{}\" is not known{}; known: {}", where(*node), full(key), into,
       near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near), fmt::join(choices, ", "));
}

void SiteTable::count(const char* key, int& into, int least) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const int64_t value = node->is_integer() ? node->as_integer()->get() : -1;
  require(value >= least && value <= 1 << 24, Exit::usage, "{}: {} must be a whole number of at least {}",
          where(*node), full(key), least);
  into = static_cast<int>(value);
}

void SiteTable::duration(const char* key, std::chrono::seconds& into) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const std::string value = line_of(*node, key, "a time in quotes, HH:MM:SS");
  try {
    into = parse_duration(value);
  } catch (const Error& error) {
    fail(Exit::usage, "{}: {}: {}", where(*node), full(key), error.what());
  }
}

void SiteTable::list(const char* key, std::vector<std::string>& into) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  require(node->is_array(), Exit::usage, "{}: {} must be a list of texts in quotes", where(*node), full(key));
  for (const toml::node& item : *node->as_array())
    into.push_back(line_of(item, key, "a list of texts in quotes"));
}

void SiteTable::pairs(std::vector<std::pair<std::string, std::string>>& into) {
  for (const auto& [key, value] : table_) {
    const std::string name(key.str());
    const bool sound =
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
            std::string::npos &&
        name.find_first_of("0123456789") != 0;
    require(sound, Exit::usage, "{}: {} is no name of an environment variable", where(value), full(name));
    into.emplace_back(name, line_of(value, name, "a text in quotes"));
    known_.push_back(name);
  }
}

void SiteTable::section(const char* key) { known_.emplace_back(key); }

void SiteTable::finish() const {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const std::string near = nearest(name, known_);
    fail(Exit::usage, "{}: unknown key {}{}; known: {}", where(node), full(name),
         near.empty() ? "" : fmt::format(", did you mean {}?", full(near)), fmt::join(known_, ", "));
  }
}

}  // namespace convoy

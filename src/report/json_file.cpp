#include "report/json_file.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace convoy::report {

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  require(std::filesystem::is_regular_file(path, error), Exit::diverged,
          "{} is not a file that can be read: name a run's folder or a result file", path.string());
  const auto size = std::filesystem::file_size(path, error);
  require(!error && size <= largest_file, Exit::diverged,
          "{} is larger than any result file (1 GiB): name a run's folder or its result.json", path.string());
  try {
    return read_text(path);
  } catch (const Error& unreadable) {
    fail(Exit::diverged, "{}", unreadable.what());
  }
}

std::optional<Json> parse(std::string_view text) {
  if (nested_deeper(text, deepest)) return {};
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) return {};
  return json;
}

const Json* member(const Json& json, std::string_view path) {
  const Json* here = &json;
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    if (!here->is_object()) return nullptr;
    const auto found = here->find(std::string(path.substr(0, dot)));
    if (found == here->end()) return nullptr;
    here = &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return here->is_null() ? nullptr : here;
}

std::optional<double> number(const Json& json, std::string_view path) {
  const Json* found = member(json, path);
  if (found == nullptr || !found->is_number()) return {};
  const auto value = found->get<double>();
  if (!std::isfinite(value)) return {};
  return value;
}

std::optional<int64_t> integer(const Json& json, std::string_view path) {
  const auto value = number(json, path);
  if (!value || std::abs(*value) > 0x1p62) return {};
  const Json& found = *member(json, path);
  if (found.is_number_integer()) return found.get<int64_t>();
  if (*value != std::floor(*value)) return {};
  return static_cast<int64_t>(*value);
}

std::optional<std::string> string(const Json& json, std::string_view path) {
  const Json* found = member(json, path);
  if (found == nullptr || !found->is_string()) return {};
  return printable(found->get<std::string>());
}

std::string text(const Json& json, std::string_view path) {
  const Json* found = member(json, path);
  if (found == nullptr) return "";
  return printable(found->dump(-1, ' ', true, Json::error_handler_t::replace));  // ASCII
}

const Json& list(const Json& json, std::string_view path) {
  static const Json none = Json::array();
  const Json* found = member(json, path);
  return found != nullptr && found->is_array() ? *found : none;
}

}  // namespace convoy::report

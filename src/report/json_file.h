// JSON that others wrote: nothing in it may crash or hang the program, whatever its types, depth or size. Accessors take a
// path of members ("efficiency.images_per_s") and answer with nothing where it is missing, null or of another type.
// Errors are one sentence and Exit::diverged (`compare`: not comparable).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace convoy::report {

using Json = nlohmann::ordered_json;

constexpr uint64_t largest_file = uint64_t{1} << 30;
constexpr int deepest = 100;  // nested lists and objects; parsing and printing recurse

// The file as text, at most `largest_file`; a regular file.
std::string read_file(const std::filesystem::path& path);
// nullopt where it is no JSON, nested too deeply, or a number is too large for a double.
std::optional<Json> parse(std::string_view text);

const Json* member(const Json& json, std::string_view path);  // null: not there, or null
std::optional<double> number(const Json& json, std::string_view path);       // finite
std::optional<int64_t> integer(const Json& json, std::string_view path);
std::optional<std::string> string(const Json& json, std::string_view path);  // printable(), base/text.h
// Any value as JSON text, "" where there is none; cut to a line that can be printed.
std::string text(const Json& json, std::string_view path);
const Json& list(const Json& json, std::string_view path);  // an empty one where there is none

}  // namespace convoy::report

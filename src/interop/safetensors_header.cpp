#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "interop/safetensors_format.h"

namespace convoy::safetensors {
namespace {

using Json = nlohmann::json;

std::string shown(const std::string& name) { return Json(name.substr(0, 80)).dump(-1, ' ', true); }

// A header has three levels at most, and no key twice on any of them, which the parser alone would not mind.
Json parse(const std::string& text) {
  std::vector<std::set<std::string>> keys;
  const auto look = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      require(keys.size() < 3, "its header is nested deeper than any safetensors header");
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto key = value.get<std::string>();
      require(keys.back().insert(key).second, "its header has the key {} twice", shown(key));
    }
    return true;
  };
  require(text.starts_with('{'), "its header does not begin with a brace, as a safetensors header does");
  try {
    return Json::parse(text, look);
  } catch (const Json::exception&) {
    fail("its header is not JSON");
  }
}

uint64_t whole(const Json& value, const std::string& name, const char* what) {
  require(value.is_number_unsigned(), "{} of {} is not made of whole numbers", what, shown(name));
  return value.get<uint64_t>();
}

TensorEntry entry_of(const std::string& name, const Json& value) {
  require(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
              value.contains("data_offsets"),
          "the entry of {} is not dtype, shape and data_offsets", shown(name));
  TensorEntry entry{.name = name, .dtype = {}, .shape = {}};
  require(value["dtype"].is_string(), "the dtype of {} is no text", shown(name));
  entry.dtype = value["dtype"].get<std::string>();
  const uint64_t size = bytes_of(entry.dtype);
  require(size > 0, "{} has the type {}, which is not known here", shown(name), shown(entry.dtype));
  require(value["shape"].is_array(), "the shape of {} is no list", shown(name));
  uint64_t bytes = size;
  for (const Json& extent : value["shape"]) {
    const uint64_t wide = whole(extent, name, "the shape");
    entry.shape.push_back(static_cast<int64_t>(wide));
    require(wide < uint64_t{1} << 48 && !__builtin_mul_overflow(bytes, wide, &bytes),
            "the shape of {} is larger than any file", shown(name));
  }
  const Json& offsets = value["data_offsets"];
  require(offsets.is_array() && offsets.size() == 2, "data_offsets of {} are not two numbers", shown(name));
  entry.begin = whole(offsets[0], name, "data_offsets");
  entry.end = whole(offsets[1], name, "data_offsets");
  require(entry.begin <= entry.end && entry.end - entry.begin == bytes,
          "{} has {} bytes by its offsets ({} to {}), which is not what {} of {} needs", shown(name),
          entry.end - entry.begin, entry.begin, entry.end, fmt::join(entry.shape, "x"), entry.dtype);
  return entry;
}

void require_no_holes(std::vector<TensorEntry> tensors, uint64_t data_bytes) {
  std::ranges::sort(tensors, [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const TensorEntry& tensor : tensors) {
    require(
        tensor.begin == at,
        "{} begins at byte {} of the data, where byte {} is next: a hole, or two tensors over one another",
        shown(tensor.name), tensor.begin, at);
    at = tensor.end;
  }
  require(at == data_bytes, "its tensors need {} bytes and the file has {}: was it cut short or appended to?",
          at, data_bytes);
}

}  // namespace

uint64_t bytes_of(const std::string& dtype) {
  static const std::map<std::string, uint64_t> sizes{
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"I16", 2},
      {"I8", 1},  {"U64", 8}, {"U32", 4}, {"U16", 2},  {"U8", 1},  {"BOOL", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

Header parse_header(const std::string& text, uint64_t data_bytes) {
  Header header;
  const Json json = parse(text);
  for (const auto& [name, value] : json.items()) {  // sorted by name, as nlohmann::json keeps it
    if (name != "__metadata__") {
      header.tensors.push_back(entry_of(name, value));
      continue;
    }
    require(value.is_object(), "its __metadata__ is no table of texts");
    for (const auto& [key, entry] : value.items()) {
      require(entry.is_string(), "{} in its __metadata__ is no text", shown(key));
      header.metadata[key] = entry.get<std::string>();
    }
  }
  require_no_holes(header.tensors, data_bytes);
  return header;
}

Digest digest_of(const TensorMetadata& metadata) {
  Digest digest;
  for (const auto& [key, value] : metadata)
    if (key != checksum_key) digest.add(fmt::format("{}:{}={}:{};", key.size(), key, value.size(), value));
  return digest;
}

void add_heading(Digest& digest, const std::string& name, const std::string& dtype,
                 const std::vector<int64_t>& shape) {
  digest.add(fmt::format("{}:{} {} [{}];", name.size(), name, dtype, fmt::join(shape, ",")));
}

}  // namespace convoy::safetensors

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "interop/safetensors_format.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// JSON knows no other text: what is not UTF-8 (a folder's name) gets the replacement character.
std::string in_utf8(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::string checksum(const std::vector<TensorToWrite>& tensors, const TensorMetadata& metadata) {
  std::vector<const TensorToWrite*> by_name;
  for (const TensorToWrite& tensor : tensors) by_name.push_back(&tensor);
  std::ranges::sort(by_name, {}, &TensorToWrite::name);
  Digest digest = safetensors::digest_of(metadata);
  for (const TensorToWrite* tensor : by_name) {
    safetensors::add_heading(digest, tensor->name, tensor->dtype, tensor->shape);
    digest.add(tensor->bytes.data(), tensor->bytes.size());
  }
  return digest.hex();
}

std::string header_text(const std::vector<TensorToWrite>& tensors, const TensorMetadata& metadata) {
  Json header{{"__metadata__", metadata}};
  uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    ensure(!header.contains(tensor.name));
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       TensorMetadata metadata) {
  for (auto& [key, value] : metadata) value = in_utf8(value);
  metadata[safetensors::checksum_key] = checksum(tensors, metadata);
  const std::string header = header_text(tensors, metadata);
  const uint64_t length = header.size();
  std::vector<std::string_view> pieces{{reinterpret_cast<const char*>(&length), sizeof length}, header};
  for (const TensorToWrite& tensor : tensors)
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  replace_file(path, pieces);
}

}  // namespace convoy

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "interop/safetensors_format.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

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
  nlohmann::ordered_json header{{"__metadata__", metadata}};
  uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    ensure(!header.contains(tensor.name));
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  return text;
}

}  // namespace

void write_safetensors(const fs::path& path, const std::vector<TensorToWrite>& tensors, TensorMetadata metadata) {
  metadata[safetensors::checksum_key] = checksum(tensors, metadata);
  const std::string header = header_text(tensors, metadata);
  const uint64_t length = header.size();
  fs::path temporary = path;
  temporary += fmt::format(".tmp.{}", ::getpid());
  try {
    File file(temporary, File::Mode::create);
    file.write_at(0, &length, sizeof length);
    file.write_at(sizeof length, header.data(), header.size());
    uint64_t at = sizeof length + length;
    for (const TensorToWrite& tensor : tensors) {
      file.write_at(at, tensor.bytes.data(), tensor.bytes.size());
      at += tensor.bytes.size();
    }
    publish(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

}  // namespace convoy

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/half.h"
#include "interop/safetensors_format.h"

namespace convoy {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors' bytes are taken as they lie");

constexpr size_t chunk = size_t{1} << 20;

template <class Raw, class Convert>
void convert(const std::vector<std::byte>& raw, std::span<float> into, Convert&& to_float) {
  for (size_t i = 0; i < into.size(); ++i) {
    Raw value;
    std::memcpy(&value, raw.data() + i * sizeof(Raw), sizeof(Raw));
    into[i] = to_float(value);
  }
}

}  // namespace

int64_t TensorEntry::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Safetensors::Safetensors(const std::filesystem::path& path) : file_(path, File::Mode::read) {
  const auto refuse = [&](const std::string& reason) {
    fail("{} is no safetensors file to trust: {}", path.string(), reason);
  };
  const uint64_t size = file_.size();
  uint64_t length = 0;
  if (size < sizeof length) refuse("it has fewer than 8 bytes");
  file_.read_at(0, &length, sizeof length);
  if (length > safetensors::longest_header || length > size - sizeof length)
    refuse(fmt::format("it promises a header of {} bytes and has {}", length, size - sizeof length));
  std::string text(length, '\0');
  file_.read_at(sizeof length, text.data(), text.size());
  data_ = sizeof length + length;
  try {
    safetensors::Header header = safetensors::parse_header(text, size - data_);
    tensors_ = std::move(header.tensors);
    metadata_ = std::move(header.metadata);
  } catch (const Error& error) {
    refuse(error.what());
  }
}

void Safetensors::verify() const {
  const auto recorded = metadata_.find(safetensors::checksum_key);
  require(
      recorded == metadata_.end() || recorded->second == digest(),
      "{} does not have its recorded checksum: copy it again, or, if it was changed on purpose, take {} out of its "
      "metadata",
      path().string(), safetensors::checksum_key);
}

const TensorEntry* Safetensors::find(const std::string& name) const {
  const auto found = std::ranges::lower_bound(tensors_, name, {}, &TensorEntry::name);
  return found == tensors_.end() || found->name != name ? nullptr : &*found;
}

int64_t Safetensors::read(const TensorEntry& tensor, std::span<float> into) const {
  ensure(static_cast<int64_t>(into.size()) == tensor.elements());
  if (tensor.dtype == "F32") {
    file_.read_at(data_ + tensor.begin, into.data(), into.size_bytes());
    return 0;
  }
  std::vector<std::byte> raw(tensor.end - tensor.begin);
  file_.read_at(data_ + tensor.begin, raw.data(), raw.size());
  int64_t rounded = 0;
  if (tensor.dtype == "F16") {
    convert<uint16_t>(raw, into, Fp16::unpack);
  } else if (tensor.dtype == "BF16") {
    convert<uint16_t>(raw, into, Bf16::unpack);
  } else if (tensor.dtype == "F64") {
    convert<double>(raw, into, [&](double value) {
      const auto single = static_cast<float>(value);
      rounded += static_cast<double>(single) != value && value == value;
      return single;
    });
  } else {
    fail("{}: {} is of type {}, where numbers with a fraction are wanted (F32, F64, F16 or BF16)",
         path().string(), tensor.name, tensor.dtype);
  }
  return rounded;
}

std::string Safetensors::digest() const {
  Digest digest = safetensors::digest_of(metadata_);
  std::vector<std::byte> buffer(chunk);
  for (const TensorEntry& tensor : tensors_) {
    safetensors::add_heading(digest, tensor.name, tensor.dtype, tensor.shape);
    for (uint64_t at = tensor.begin; at < tensor.end; at += chunk) {
      const size_t bytes = std::min<uint64_t>(chunk, tensor.end - at);
      file_.read_at(data_ + at, buffer.data(), bytes);
      digest.add(buffer.data(), bytes);
    }
  }
  return digest.hex();
}

}  // namespace convoy

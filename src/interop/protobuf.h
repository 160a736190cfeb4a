// As much of protobuf's wire format as ONNX files need (protobuf.dev, "Encoding"): a message is a sequence of fields, each
// a key (number << 3 | wire type) and a value: a varint, 4 bytes, or a length and bytes. A Message owns its bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace convoy::protobuf {

class Message {
 public:
  Message& integer(uint32_t field, int64_t value) {
    varint(field << 3);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& real(uint32_t field, float value) {
    varint(field << 3 | 5);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
    return *this;
  }
  Message& bytes(uint32_t field, std::string_view value) {
    head(field, value.size());
    bytes_.append(value);
    return *this;
  }
  Message& message(uint32_t field, const Message& value) { return bytes(field, value.bytes_); }
  // The key and length of a field whose bytes the caller writes behind this message's own.
  Message& head(uint32_t field, uint64_t length) {
    varint(uint64_t{field} << 3 | 2);
    varint(length);
    return *this;
  }
  const std::string& str() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

}  // namespace convoy::protobuf

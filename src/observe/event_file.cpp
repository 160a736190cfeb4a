#include "observe/event_file.h"

#include <bit>

#include "observe/crc32c.h"

namespace convoy {
namespace {

enum Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

template <class Integer>
void put_little_endian(std::string& to, Integer value) {
  for (size_t i = 0; i < sizeof value; ++i) to += static_cast<char>(value >> (8 * i) & 0xff);
}

void put_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>((value & 0x7f) | 0x80);
  to += static_cast<char>(value);
}

void put_key(std::string& to, uint64_t field, Wire wire) { put_varint(to, field << 3 | wire); }

void put_bytes(std::string& to, uint64_t field, std::string_view value) {
  put_key(to, field, bytes);
  put_varint(to, value.size());
  to += value;
}

std::string event(double wall_time, int64_t step) {
  std::string text;
  put_key(text, 1, fixed64);
  put_little_endian(text, std::bit_cast<uint64_t>(wall_time));
  if (step != 0) {
    put_key(text, 2, varint);
    put_varint(text, static_cast<uint64_t>(step));
  }
  return text;
}

std::string record(std::string_view data) {
  std::string framed;
  put_little_endian(framed, uint64_t{data.size()});
  put_little_endian(framed, masked_crc32c(framed));
  framed += data;
  put_little_endian(framed, masked_crc32c(data));
  return framed;
}

}  // namespace

std::string version_record(double wall_time) {
  std::string text = event(wall_time, 0);
  put_bytes(text, 3, "brain.Event:2");
  return record(text);
}

std::string start_record(double wall_time, int64_t step) {
  std::string text = event(wall_time, step);
  put_bytes(text, 7, std::string_view("\x08\x01", 2));
  return record(text);
}

std::string scalars_record(double wall_time, int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    put_bytes(value, 1, tag);
    put_key(value, 2, fixed32);
    put_little_endian(value, std::bit_cast<uint32_t>(static_cast<float>(number)));
    put_bytes(summary, 1, value);
  }
  std::string text = event(wall_time, step);
  put_bytes(text, 5, summary);
  return record(text);
}

}  // namespace convoy

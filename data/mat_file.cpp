#include "data/mat_file.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

using Bytes = std::span<const unsigned char>;

constexpr size_t header_bytes = 128;
constexpr uint64_t largest = uint64_t{64}
                             << 20;  // of the file, and of an array once inflated: the devkit's has 3 MB

enum Type : uint32_t {
  int8 = 1,
  uint8 = 2,
  int16 = 3,
  uint16 = 4,
  int32 = 5,
  uint32 = 6,
  single = 7,
  real = 9,
  int64 = 12,
  uint64 = 13,
  matrix = 14,
  compressed = 15,
  utf8 = 16,
  utf16 = 17
};
enum Class : uint32_t { class_struct = 2, class_char = 4 };

// Why a file is refused; the reader names it.
struct Damage {
  const char* what;
};

void need(bool condition, const char* what) {
  if (!condition) throw Damage{what};
}

template <class T>
T load(Bytes bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

struct Element {
  uint32_t type = 0;
  Bytes data;
};

// Takes the next element off `bytes`: type and length, four bytes each, or packed into four with up to four of data.
Element next(Bytes& bytes) {
  need(bytes.size() >= 8, "it ends within a tag");
  Element element{load<uint32_t>(bytes), {}};
  if (element.type >> 16 != 0) {
    const size_t length = element.type >> 16;
    element.type &= 0xffff;
    need(length <= 4, "a short element is longer than four bytes");
    element.data = bytes.subspan(4, length);
    bytes = bytes.subspan(8);
    return element;
  }
  const size_t length = load<uint32_t>(bytes.subspan(4));
  need(length <= bytes.size() - 8, "an element is longer than the file");
  element.data = bytes.subspan(8, length);
  const size_t padded = element.type == compressed ? length : (length + 7) / 8 * 8;
  bytes = bytes.subspan(std::min(bytes.size(), 8 + padded));
  return element;
}

std::vector<unsigned char> inflated(Bytes packed) {
  std::vector<unsigned char> content;
  z_stream stream{};
  need(inflateInit(&stream) == Z_OK, "zlib has no memory");
  stream.next_in = const_cast<unsigned char*>(packed.data());
  stream.avail_in = static_cast<unsigned>(packed.size());
  int state = Z_OK;
  while (state == Z_OK && content.size() < largest) {
    const size_t done = content.size();
    content.resize(std::min<size_t>(largest, std::max<size_t>(4096, done * 2)));
    stream.next_out = content.data() + done;
    stream.avail_out = static_cast<unsigned>(content.size() - done);
    state = inflate(&stream, Z_NO_FLUSH);
    content.resize(content.size() - stream.avail_out);
    if (state == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) break;
  }
  inflateEnd(&stream);
  need(state == Z_STREAM_END, "a compressed array is damaged, or larger than 64 MiB");
  return content;
}

std::string as_text(Bytes bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

struct Heading {
  uint32_t kind = 0;  // a Class
  uint64_t count = 0;
  std::string name;
};

// Takes class, extents and name off a matrix; what follows depends on the class.
Heading heading(Bytes& bytes) {
  Heading found;
  const Element flags = next(bytes), extents = next(bytes), name = next(bytes);
  need(flags.type == uint32 && flags.data.size() == 8, "an array has no flags");
  found.kind = flags.data[0];
  need(extents.type == int32 && extents.data.size() >= 8 && extents.data.size() % 4 == 0,
       "an array has no extents");
  found.count = 1;
  for (size_t at = 0; at < extents.data.size(); at += 4) {
    const auto extent = load<int32_t>(extents.data.subspan(at));
    need(extent >= 0 && !__builtin_mul_overflow(found.count, static_cast<uint64_t>(extent), &found.count),
         "an array's extents are impossible");
  }
  found.name = as_text(name.data);
  return found;
}

template <class T>
std::optional<double> first(Bytes data) {
  if (data.size() < sizeof(T)) return {};
  return static_cast<double>(load<T>(data));
}

std::optional<double> number(const Element& element) {
  switch (element.type) {
    case int8:
      return first<int8_t>(element.data);
    case uint8:
      return first<uint8_t>(element.data);
    case int16:
      return first<int16_t>(element.data);
    case uint16:
      return first<uint16_t>(element.data);
    case int32:
      return first<int32_t>(element.data);
    case uint32:
      return first<uint32_t>(element.data);
    case single:
      return first<float>(element.data);
    case real:
      return first<double>(element.data);
    case int64:
      return first<int64_t>(element.data);
    case uint64:
      return first<uint64_t>(element.data);
    default:
      return {};
  }
}

}  // namespace

MatStructs::MatStructs(const std::filesystem::path& path, const std::string& name) : path_(path) {
  const File file(path, File::Mode::read);
  const uint64_t size = file.size();
  require(size >= header_bytes && size <= largest, "{} is no MATLAB file: give data/meta.mat of the devkit",
          path.string());
  std::vector<unsigned char> whole(size);
  file.read_at(0, whole.data(), whole.size());
  require(whole[124] == 0 && whole[125] == 1 && whole[126] == 'I' && whole[127] == 'M',
          "{} is no MATLAB file of level 5, little endian: give data/meta.mat of the devkit", path.string());
  try {
    for (Bytes rest = Bytes(whole).subspan(header_bytes); !rest.empty();) {
      Element element = next(rest);
      content_ = element.type == compressed
                     ? inflated(element.data)
                     : std::vector<unsigned char>(element.data.begin(), element.data.end());
      Bytes array = content_;
      if (element.type == compressed) {
        element = next(array);
        array = element.data;
      }
      if (element.type != matrix) continue;
      Bytes look = array;
      const Heading found = heading(look);
      if (found.name != name || found.kind != class_struct) continue;
      index(array);
      return;
    }
  } catch (const Damage& damage) {
    fail("{} is damaged: {}; get the devkit again", path.string(), damage.what);
  }
  fail("{} has no struct array \"{}\": give data/meta.mat of the ILSVRC2012 devkit", path.string(), name);
}

void MatStructs::index(Bytes matrix_bytes) {
  const Heading array = heading(matrix_bytes);
  const Element width = next(matrix_bytes), names = next(matrix_bytes);
  need(width.type == int32 && width.data.size() == 4 && load<int32_t>(width.data) > 0,
       "its field names have no length");
  const auto length = static_cast<size_t>(load<int32_t>(width.data));
  const size_t fields = names.data.size() / length;
  need(fields > 0 && names.data.size() % length == 0, "its field names are cut off");
  for (size_t field = 0; field < fields; ++field)
    columns_.emplace(as_text(names.data.subspan(field * length, length)), field);
  need(array.count <= matrix_bytes.size() / 8 / fields, "it has fewer elements than it says");
  size_ = static_cast<size_t>(array.count);
  values_.reserve(size_ * fields);
  for (size_t i = 0; i < size_ * fields; ++i) {
    const Element value = next(matrix_bytes);
    need(value.type == matrix, "a field is no array");
    values_.push_back(value.data);
  }
}

MatStructs::Bytes MatStructs::value(size_t i, const std::string& field) const {
  const auto column = columns_.find(field);
  return column == columns_.end() ? Bytes() : values_.at(i * (values_.size() / size_) + column->second);
}

std::optional<int64_t> MatStructs::whole(size_t i, const std::string& field) const {
  Bytes bytes = value(i, field);
  try {
    if (bytes.empty() || heading(bytes).count != 1) return {};
    const auto found = number(next(bytes));
    if (!found || !(std::abs(*found) < 0x1p53) || *found != std::floor(*found)) return {};
    return static_cast<int64_t>(*found);
  } catch (const Damage&) {
    return {};
  }
}

std::string MatStructs::text(size_t i, const std::string& field) const {
  Bytes bytes = value(i, field);
  try {
    if (bytes.empty() || heading(bytes).kind != class_char) return "";
    const Element element = next(bytes);
    const bool wide = element.type == uint16 || element.type == utf16;
    std::string result;
    for (size_t at = 0; at + (wide ? 2 : 1) <= element.data.size(); at += wide ? 2 : 1) {
      const unsigned code = wide ? load<uint16_t>(element.data.subspan(at)) : element.data[at];
      result += code < 0x80 || !wide ? static_cast<char>(code) : '?';
    }
    return result;
  } catch (const Damage&) {
    return "";
  }
}

}  // namespace convoy

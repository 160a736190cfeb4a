// A Source as one string of bytes and back, between ranks of one program: no format that outlives the run.
#include <cstring>

#include "base/error.h"
#include "data/source.h"

namespace convoy {
namespace {

class Writer {
 public:
  template <class T>
  void number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number(static_cast<uint64_t>(value.size()));
    bytes_ += value;
  }
  template <class Strings>
  void texts(const Strings& values) {
    number(static_cast<uint64_t>(values.size()));
    for (const auto& value : values) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  template <class T>
  T number() {
    T value;
    ensure(bytes_.size() - at_ >= sizeof value);
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const auto size = number<uint64_t>();
    ensure(bytes_.size() - at_ >= size);
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  std::vector<std::string> texts() {
    std::vector<std::string> values(number<uint64_t>());
    for (auto& value : values) value = text();
    return values;
  }

 private:
  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace

std::string to_bytes(const Source& source) {
  Writer out;
  out.text(source.root.string());
  out.text(source.description);
  std::vector<std::string> archives(source.archives.begin(), source.archives.end());
  out.texts(archives);
  out.texts(source.classes.wnids);
  out.texts(source.classes.names);
  out.number(source.skipped);
  out.texts(source.skipped_examples);
  out.number(static_cast<uint64_t>(source.images.size()));
  for (const auto& image : source.images) {
    out.text(image.name);
    out.number(image.label);
    out.number(image.archive);
    out.number(image.offset);
    out.number(image.length);
  }
  return out.take();
}

Source source_from_bytes(const std::string& bytes) {
  Reader in(bytes);
  Source source;
  source.root = in.text();
  source.description = in.text();
  for (const auto& archive : in.texts()) source.archives.emplace_back(archive);
  source.classes.wnids = in.texts();
  source.classes.names = in.texts();
  source.skipped = in.number<int64_t>();
  source.skipped_examples = in.texts();
  source.images.resize(in.number<uint64_t>());
  for (auto& image : source.images) {
    image.name = in.text();
    image.label = in.number<int32_t>();
    image.archive = in.number<int32_t>();
    image.offset = in.number<uint64_t>();
    image.length = in.number<uint32_t>();
  }
  return source;
}

}  // namespace convoy

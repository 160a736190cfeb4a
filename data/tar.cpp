#include "data/tar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace convoy {
namespace {

constexpr uint64_t block = 512;
constexpr uint64_t longest_text = 1 << 20;  // of a long name or a pax header: more is damage, not a name

using Header = std::array<unsigned char, block>;

std::string_view field(const Header& header, size_t at, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(header.data()) + at, size);
  return text.substr(0, text.find('\0'));
}

bool all_zero(const Header& header) {
  return std::all_of(header.begin(), header.end(), [](unsigned char c) { return c == 0; });
}

// Reads the archive front to back, carrying long names and pax records to the member they precede.
class Walk {
 public:
  Walk(const File& file, uint64_t begin, uint64_t end, const std::string& what)
      : file_(file), at_(begin), begin_(begin), end_(end), what_(what) {}

  std::vector<TarMember> members() {
    std::vector<TarMember> found;
    Header header;
    while (read_header(header)) {
      TarMember member = parse(header);
      require(member.size <= end_ - member.offset,
              "{}: the archive is truncated: {} needs bytes {} to {}, but the archive ends at {}; get the "
              "archive again",
              what_, member.name, member.offset, member.offset + member.size, end_);
      at_ = member.offset + (member.size + block - 1) / block * block;
      if (member.type == 'L' || member.type == 'K')
        (member.type == 'L' ? long_name_ : long_link_) = text_of(member);
      else if (member.type == 'x')
        read_pax(text_of(member));
      else if (member.type != 'g')
        found.push_back(std::move(member));
    }
    return found;
  }

 private:
  // False at the end mark. An archive that just stops was cut off at a member's edge.
  bool read_header(Header& header) {
    require(at_ + block <= end_,
            "{}: the archive is truncated: it ends at byte {} without the end mark of a tar; get the archive "
            "again",
            what_, end_);
    file_.read_at(at_, header.data(), block);
    if (all_zero(header)) return false;
    int64_t unsigned_sum = 0, signed_sum = 0;
    for (size_t i = 0; i < block; ++i) {
      const bool in_checksum = i >= 148 && i < 156;
      unsigned_sum += in_checksum ? ' ' : header[i];
      signed_sum += in_checksum ? ' ' : static_cast<signed char>(header[i]);  // some old writers
    }
    const auto stored = static_cast<int64_t>(number(header, 148, 8));
    require(
        stored == unsigned_sum || stored == signed_sum, "{}: {} at byte {}; get the archive again", what_,
        at_ == begin_ ? "this is no tar archive: no valid header" : "a damaged tar header (wrong checksum)",
        at_);
    return true;
  }

  TarMember parse(const Header& header) {
    TarMember member;
    member.header = at_;
    member.offset = at_ + block;
    member.type = header[156] == 0 || header[156] == '7' ? '0' : static_cast<char>(header[156]);
    member.name = field(header, 0, 100);
    const bool posix = std::memcmp(header.data() + 257, "ustar\0", 6) == 0;
    if (posix && header[345] != 0) member.name = std::string(field(header, 345, 155)) + "/" + member.name;
    member.link = field(header, 157, 100);
    member.size = number(header, 124, 12);
    const bool about_next =
        member.type == 'L' || member.type == 'K' || member.type == 'x' || member.type == 'g';
    if (!about_next) apply_extensions(member);
    require(member.type != 'S' && member.type != 'M' && member.type != 'V',
            "{}: {} at byte {} is a sparse or multi-volume member, which is not supported; make a plain tar",
            what_, member.name, at_);
    if (member.type == '0' && !member.name.empty() && member.name.back() == '/')
      member.type = '5';  // v7 folders
    if (member.type == '1' || member.type == '2' || member.type == '5') member.size = 0;
    return member;
  }

  void apply_extensions(TarMember& member) {
    if (!long_name_.empty()) member.name = long_name_;
    if (!long_link_.empty()) member.link = long_link_;
    if (pax_size_ != no_size) member.size = pax_size_;
    long_name_.clear();
    long_link_.clear();
    pax_size_ = no_size;
  }

  std::string text_of(const TarMember& member) const {
    require(member.size <= longest_text,
            "{}: a name of {} bytes at byte {}: the archive is damaged; get it again", what_, member.size,
            member.header);
    std::string text(member.size, '\0');
    file_.read_at(member.offset, text.data(), text.size());
    if (member.type != 'x') text.resize(std::min(text.size(), text.find('\0')));
    return text;
  }

  // Records "LENGTH KEY=VALUE\n", where LENGTH counts the whole record.
  void read_pax(std::string_view text) {
    while (!text.empty() && text[0] != '\0') {
      size_t length = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
      const auto digits = static_cast<size_t>(end - text.data());
      const bool whole = error == std::errc{} && length > digits + 2 && length <= text.size() &&
                         text[digits] == ' ' && text[length - 1] == '\n';
      require(whole, "{}: a damaged pax header before byte {}; get the archive again", what_, at_);
      const std::string_view record = text.substr(digits + 1, length - digits - 2);
      const size_t equals = std::min(record.find('='), record.size() - 1);
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path") long_name_ = value;
      if (key == "linkpath") long_link_ = value;
      if (key == "size") {
        const auto [rest, wrong] = std::from_chars(value.data(), value.data() + value.size(), pax_size_);
        if (wrong != std::errc{} || rest != value.data() + value.size())
          fail("{}: a damaged pax header before byte {}: size={}; get the archive again", what_, at_, value);
      }
      if (key.starts_with("GNU.sparse"))
        fail("{}: the member at byte {} is sparse, which is not supported; make a plain tar", what_, at_);
      text.remove_prefix(length);
    }
  }

  // Octal text, or GNU's base 256 with the top bit set.
  uint64_t number(const Header& header, size_t at, size_t size) const {
    uint64_t value = 0;
    if (header[at] & 0x80) {
      for (size_t i = at + 1; i < at + size; ++i) value = value << 8 | header[i];
      return value;
    }
    for (size_t i = at; i < at + size; ++i) {
      const unsigned char c = header[i];
      if (c >= '0' && c <= '7')
        value = value << 3 | static_cast<uint64_t>(c - '0');
      else if (c != ' ' || value != 0)
        break;
    }
    return value;
  }

  static constexpr uint64_t no_size = ~uint64_t{0};
  const File& file_;
  uint64_t at_, begin_, end_;
  const std::string& what_;
  std::string long_name_, long_link_;
  uint64_t pax_size_ = no_size;
};

}  // namespace

std::vector<TarMember> list_tar(const File& file, uint64_t begin, uint64_t end, const std::string& what) {
  return Walk(file, begin, end, what).members();
}

}  // namespace convoy

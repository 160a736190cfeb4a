#include "data/coefficient_record.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/clones.h"
#include "base/error.h"

static_assert(std::endian::native == std::endian::little, "records are read as they lie");

namespace convoy {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::array<unsigned char, 4> magic = {0xcd, 'D', 'C', 'T'};
constexpr size_t fixed_bytes = 12;  // before the quantizers
constexpr size_t least_block_bytes = 3;

template <class T>
[[gnu::always_inline]] inline T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

constexpr int divided_up(int a, int b) { return (a + b - 1) / b; }

// A byte of a block says which of eight things are there, which follow without gaps. Eight bytes with what is there at its
// place: places[mask] are the indices, 8 that of a zero.
using Sixteen = uint8_t __attribute__((vector_size(16)));
using Values = int8_t __attribute__((vector_size(8)));
using Row = int16_t __attribute__((vector_size(16)));

struct MaskPlaces {
  alignas(64) std::array<std::array<uint8_t, 8>, 256> of{};
  constexpr MaskPlaces() {
    for (unsigned mask = 0; mask < of.size(); ++mask) {
      uint8_t next = 0;
      for (unsigned i = 0; i < 8; ++i) of[mask][i] = (mask >> i & 1) != 0 ? next++ : uint8_t{8};
    }
  }
};
constexpr MaskPlaces places;

[[gnu::always_inline]] inline uint64_t spread(uint64_t packed, unsigned mask) {
  using Pair = uint64_t __attribute__((vector_size(16)));
  const auto bytes = reinterpret_cast<Sixteen>(Pair{packed, 0});
  const auto where = reinterpret_cast<Sixteen>(
      Pair{load<uint64_t>(reinterpret_cast<const std::byte*>(places.of[mask].data())), 0});
#if defined(__clang__)
  return reinterpret_cast<Pair>(__builtin_shufflevector(bytes, where))[0];
#else
  return reinterpret_cast<Pair>(__builtin_shuffle(bytes, where))[0];
#endif
}

// What comes before a block's values.
struct BlockHead {
  int16_t dc;
  bool wide;  // values of two bytes
  unsigned rows;
  int row_count;
};

[[gnu::always_inline]] inline BlockHead read_head(const std::byte* at) {
  const auto first = load<int16_t>(at);
  const auto rows = std::to_integer<unsigned>(at[2]);
  return {static_cast<int16_t>(first >> 1), (first & 1) != 0, rows, std::popcount(rows)};
}

// Of its masks, those of the rows that are there: how many coefficients follow.
[[gnu::always_inline]] inline int values_of(uint64_t masks, int row_count) {
  return row_count == 0 ? 0 : std::popcount(masks << (64 - 8 * row_count));
}

[[gnu::always_inline]] inline ptrdiff_t bytes_of_block(const std::byte* at) {
  const BlockHead head = read_head(at);
  const int values = values_of(load<uint64_t>(at + 3), head.row_count);
  return 3 + head.row_count + (head.wide ? 2 * values : values);
}

// Values of two bytes: seldom.
const std::byte* read_wide(const std::byte* at, uint64_t masks, int16_t* to) {
  for (int i = 0; i < block_size; ++i) {
    if ((masks >> i & 1) == 0) {
      to[i] = 0;
      continue;
    }
    to[i] = load<int16_t>(at);
    at += 2;
  }
  return at;
}

[[gnu::always_inline]] inline const std::byte* read_narrow(const std::byte* at, uint64_t masks, int16_t* to) {
  for (int row = 0; row < block_side; ++row) {
    const auto mask = static_cast<unsigned>(masks >> (8 * row) & 255);
    const uint64_t bytes = spread(load<uint64_t>(at), mask);
    const Row values = __builtin_convertvector(reinterpret_cast<Values>(bytes), Row);
    std::memcpy(to + block_side * row, &values, sizeof values);
    at += std::popcount(mask);
  }
  return at;
}

// False: the blocks go beyond `end`, behind which record_tail bytes may still be read. `at` is at most `end`, always.
CONVOY_CLONES bool unpack(const std::byte* at, const std::byte* end, int first, int count,
                          int16_t* coefficients) {
  for (int i = 0; i < first; ++i) {
    const ptrdiff_t bytes = bytes_of_block(at);
    if (end - at < bytes) return false;
    at += bytes;
  }
  for (int i = 0; i < count; ++i, coefficients += block_size) {
    const BlockHead head = read_head(at);
    const uint64_t masks = spread(load<uint64_t>(at + 3), head.rows);
    const ptrdiff_t values = std::popcount(masks);
    if (end - at < 3 + head.row_count + (head.wide ? 2 * values : values)) return false;
    at += 3 + head.row_count;
    if (head.wide) {
      at = read_wide(at, masks, coefficients);
    } else {
      at = read_narrow(at, masks, coefficients);
    }
    coefficients[0] = head.dc;
  }
  return true;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

bool is_coefficient_record(Bytes bytes) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

void lay_out_record(CoefficientRecord& record) {
  size_t at = fixed_bytes + static_cast<size_t>(record.components) * block_size * sizeof(uint16_t);
  for (int c = 0; c < record.components; ++c) {
    auto& component = record.component[static_cast<size_t>(c)];
    component.width = divided_up(record.width, c == 0 ? 1 : record.across);
    component.height = divided_up(record.height, c == 0 ? 1 : record.down);
    component.blocks_across = divided_up(component.width, block_side);
    component.blocks_down = divided_up(component.height, block_side);
    component.rows_at = at;
    at += static_cast<size_t>(component.blocks_down) * sizeof(uint32_t);
  }
  record.header_bytes = at;
}

void write_record_header(const CoefficientRecord& record, std::span<std::byte> to) {
  std::memcpy(to.data(), magic.data(), magic.size());
  const std::array<unsigned char, 4> form = {
      static_cast<unsigned char>(coefficient_version), static_cast<unsigned char>(record.components),
      static_cast<unsigned char>(record.across), static_cast<unsigned char>(record.down)};
  std::memcpy(to.data() + 4, form.data(), form.size());
  store(to.data() + 8, static_cast<uint16_t>(record.width));
  store(to.data() + 10, static_cast<uint16_t>(record.height));
  for (size_t c = 0; c < static_cast<size_t>(record.components); ++c)
    std::memcpy(to.data() + fixed_bytes + c * block_size * sizeof(uint16_t),
                record.component[c].quantizers.data(), block_size * sizeof(uint16_t));
}

CoefficientRecord read_record_header(Bytes bytes) {
  ensure(is_coefficient_record(bytes));
  const auto cut_short = [](bool whole) { require(whole, "coefficients: the record is cut short"); };
  cut_short(bytes.size() >= fixed_bytes);
  const auto byte = [&](size_t at) { return std::to_integer<int>(bytes[at]); };
  require(byte(4) == coefficient_version,
          "coefficients: version {} of the record, and this program knows {}: use the convoy that packed it",
          byte(4), coefficient_version);
  CoefficientRecord record;
  record.components = byte(5);
  record.across = byte(6);
  record.down = byte(7);
  record.width = load<uint16_t>(bytes.data() + 8);
  record.height = load<uint16_t>(bytes.data() + 10);
  require((record.components == 1 || record.components == 3) && (record.across == 1 || record.across == 2) &&
              (record.down == 1 || record.down == 2),
          "coefficients: {} components of {} x {} pixels a sample: the record is damaged", record.components,
          record.across, record.down);
  lay_out_record(record);
  uint64_t blocks = 0;
  for (const auto& component : record.component)
    blocks += static_cast<uint64_t>(component.blocks_across) * static_cast<uint64_t>(component.blocks_down);
  cut_short(bytes.size() >= record.header_bytes + least_block_bytes * blocks + record_tail);
  for (size_t c = 0; c < static_cast<size_t>(record.components); ++c)
    std::memcpy(record.component[c].quantizers.data(),
                bytes.data() + fixed_bytes + c * block_size * sizeof(uint16_t),
                block_size * sizeof(uint16_t));
  return record;
}

size_t put_block(const int16_t* coefficients, std::byte* to) {
  bool wide = false;
  for (int i = 1; i < block_size; ++i) wide |= coefficients[i] < -128 || coefficients[i] > 127;
  store(to, static_cast<int16_t>(coefficients[0] * 2 + wide));
  std::array<unsigned, block_side> masks{};
  unsigned rows = 0;
  for (unsigned i = 1; i < block_size; ++i)
    if (coefficients[i] != 0) {
      masks[i / block_side] |= 1U << i % block_side;
      rows |= 1U << i / block_side;
    }
  to[2] = static_cast<std::byte>(rows);
  std::byte* at = to + 3;
  for (const unsigned mask : masks)
    if (mask != 0) *at++ = static_cast<std::byte>(mask);
  for (int i = 1; i < block_size; ++i) {
    if (coefficients[i] == 0) continue;
    if (wide)
      store(at, coefficients[i]);
    else
      store(at, static_cast<int8_t>(coefficients[i]));
    at += wide ? 2 : 1;
  }
  return static_cast<size_t>(at - to);
}

void read_blocks(Bytes bytes, const CoefficientComponent& component, int row, int first, int count,
                 int16_t* coefficients) {
  ensure(row >= 0 && row < component.blocks_down && first >= 0 && count >= 0 &&
         first + count <= component.blocks_across);
  const size_t begin =
      load<uint32_t>(bytes.data() + component.rows_at + static_cast<size_t>(row) * sizeof(uint32_t));
  const std::byte* end = bytes.data() + bytes.size() - record_tail;
  require(
      begin <= bytes.size() - record_tail && unpack(bytes.data() + begin, end, first, count, coefficients),
      "coefficients: row {} of the blocks goes beyond the record: it is damaged", row);
}

}  // namespace convoy

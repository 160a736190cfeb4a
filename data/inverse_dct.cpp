#include "data/inverse_dct.h"

#include <cstring>

#include "base/clones.h"

namespace convoy {
namespace {

using Lanes = int32_t __attribute__((vector_size(32)));  // a row of a block, or a column
using Wrapping = uint32_t __attribute__((vector_size(32)));
using Row16 = uint16_t __attribute__((vector_size(16)));
using Signed16 = int16_t __attribute__((vector_size(16)));
using Row8 = uint8_t __attribute__((vector_size(8)));

constexpr int fraction = 13, kept = 2;  // bits

// The constants of the paper's figure, c_n = cos(n pi / 16): sqrt(2) times what stands beside each.
constexpr uint32_t fixed(double value) {
  return static_cast<uint32_t>(static_cast<int32_t>(value * (1 << fraction) + (value < 0 ? -0.5 : 0.5)));
}
constexpr uint32_t c6 = fixed(0.541196100),  // c6
    c2_less_c6 = fixed(0.765366865),         // c2 - c6
    minus_c2_and_c6 = fixed(-1.847759065),   // -c2 - c6
    c3 = fixed(1.175875602),                 // c3
    odd_7 = fixed(0.298631336),              // -c1 + c3 + c5 - c7
    odd_5 = fixed(2.053119869),              // c1 + c3 - c5 + c7
    odd_3 = fixed(3.072711026),              // c1 + c3 + c5 - c7
    odd_1 = fixed(1.501321110),              // c1 + c3 - c5 - c7
    c7_less_c3 = fixed(-0.899976223),        // c7 - c3
    minus_c1_and_c3 = fixed(-2.562915447),   // -c1 - c3
    minus_c3_and_c5 = fixed(-1.961570560),   // -c3 - c5
    c5_less_c3 = fixed(-0.390180644);        // c5 - c3

// By reference: vectors by value would travel differently in each clone.
template <int bits>
[[gnu::always_inline]] inline void put_rounded(const Wrapping& x, Wrapping& to) {
  to = reinterpret_cast<Wrapping>(reinterpret_cast<Lanes>(x + (1U << (bits - 1))) >> bits);
}

// Eight transforms beside one another.
template <int bits>
[[gnu::always_inline]] inline void transform(Wrapping (&x)[block_side]) {
  const Wrapping turn = (x[2] + x[6]) * c6;
  const Wrapping even_2 = turn + x[6] * minus_c2_and_c6, even_3 = turn + x[2] * c2_less_c6;
  const Wrapping even_0 = (x[0] + x[4]) << fraction, even_1 = (x[0] - x[4]) << fraction;
  const Wrapping e0 = even_0 + even_3, e3 = even_0 - even_3, e1 = even_1 + even_2, e2 = even_1 - even_2;

  const Wrapping both = (x[7] + x[3] + x[5] + x[1]) * c3;
  const Wrapping outer = (x[7] + x[1]) * c7_less_c3, inner = (x[5] + x[3]) * minus_c1_and_c3;
  const Wrapping third = (x[7] + x[3]) * minus_c3_and_c5 + both, fourth = (x[5] + x[1]) * c5_less_c3 + both;
  const Wrapping o3 = x[7] * odd_7 + outer + third, o2 = x[5] * odd_5 + inner + fourth,
                 o1 = x[3] * odd_3 + inner + third, o0 = x[1] * odd_1 + outer + fourth;

  put_rounded<bits>(e0 + o0, x[0]);
  put_rounded<bits>(e0 - o0, x[7]);
  put_rounded<bits>(e1 + o1, x[1]);
  put_rounded<bits>(e1 - o1, x[6]);
  put_rounded<bits>(e2 + o2, x[2]);
  put_rounded<bits>(e2 - o2, x[5]);
  put_rounded<bits>(e3 + o3, x[3]);
  put_rounded<bits>(e3 - o3, x[4]);
}

[[gnu::always_inline]] inline void transpose(Wrapping (&x)[block_side]) {
  Wrapping pairs[block_side], fours[block_side];
  for (int i = 0; i < block_side; i += 2) {
    pairs[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < block_side; i += 4)
    for (int k = 0; k < 2; ++k) {
      fours[i + 2 * k] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      fours[i + 2 * k + 1] =
          __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; ++i) {
    x[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    x[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

[[gnu::always_inline]] inline void store_row(const Wrapping& row, uint8_t* to) {
  auto value = reinterpret_cast<Lanes>(row) + 128;
  value = value < 0 ? Lanes{} : value;
  value = value > 255 ? Lanes{} + 255 : value;
  const Row8 bytes = __builtin_convertvector(value, Row8);
  std::memcpy(to, &bytes, sizeof bytes);
}

}  // namespace

CONVOY_CLONES void inverse_dct(const int16_t* coefficients, int blocks,
                               const std::array<uint16_t, block_size>& quantizers, uint8_t* samples,
                               size_t stride) {
  for (int b = 0; b < blocks; ++b, coefficients += block_size, samples += block_side) {
    Wrapping x[block_side];
    for (int row = 0; row < block_side; ++row) {
      Row16 coefficient, quantizer;
      std::memcpy(&coefficient, coefficients + block_side * row, sizeof coefficient);
      std::memcpy(&quantizer, quantizers.data() + block_side * row, sizeof quantizer);
      x[row] = reinterpret_cast<Wrapping>(
          __builtin_convertvector(reinterpret_cast<Signed16>(coefficient * quantizer), Lanes));
    }
    transform<fraction - kept>(x);
    transpose(x);
    transform<fraction + kept + 3>(x);
    transpose(x);
    for (size_t row = 0; row < block_side; ++row) store_row(x[row], samples + row * stride);
  }
}

}  // namespace convoy

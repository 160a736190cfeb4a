// Toeplitz matrices of convolutions, in every pair of feature orders: against the convolution's own sums, in whole numbers.
#include <catch2/catch.hpp>
#include <numeric>

#include "backends/onednn/small_maps.h"

namespace convoy::onednn {
namespace {

constexpr int64_t outputs = 32, inputs = 16, side = 2, kernel = 3, pixels = side * side;

Toeplitz toeplitz(int64_t to, int64_t from) {
  Toeplitz t{outputs, inputs, kernel * kernel, {to, pixels}, {from, pixels}, {}};
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t q = 0; q < pixels; ++q) {
      const int64_t row = q / side - p / side + 1, column = q % side - p % side + 1;  // padded by 1
      t.tap.push_back(row * kernel + column);
    }
  t.tap[1] = -1;  // as if the window did not reach the second pixel from the first
  return t;
}

std::vector<float> whole_numbers(size_t count, int64_t seed) {
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i)
    numbers[i] = static_cast<float>((static_cast<int64_t>(i) * 7919 + seed) % 17 - 8);
  return numbers;
}

double product(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

TEST_CASE("a Toeplitz matrix times a map is the convolution of it, and folding is the other way round") {
  const std::vector<float> weights = whole_numbers(outputs * inputs * kernel * kernel, 3);
  for (const int64_t to : {1, 8, 16})
    for (const int64_t from : {1, 8, 16}) {
      INFO("blocks of " << to << " and " << from);
      const Toeplitz t = toeplitz(to, from);
      std::vector<float> matrix(static_cast<size_t>(t.rows() * t.columns()), 1e9f);
      expand(t, weights.data(), matrix.data());
      const auto weight = [&](int64_t o, int64_t i, int64_t tap) {
        return tap < 0 ? 0.0f : weights[static_cast<size_t>((o * inputs + i) * kernel * kernel + tap)];
      };
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t i = 0; i < inputs; ++i)
          for (int64_t p = 0; p < pixels; ++p)
            for (int64_t q = 0; q < pixels; ++q)
              REQUIRE(matrix[static_cast<size_t>(t.to.at(o, p) * t.columns() + t.from.at(i, q))] ==
                      weight(o, i, t.tap[static_cast<size_t>(p * pixels + q)]));
      // fold is the transpose of expand: <fold(G), W> = <G, expand(W)>
      const std::vector<float> gradient = whole_numbers(matrix.size(), 11);
      std::vector<float> folded(weights.size(), 1e9f);
      fold(t, gradient.data(), folded.data());
      CHECK(product(folded, weights) == product(gradient, matrix));
      CHECK(product(folded, folded) > 0);
    }
}

}  // namespace convoy::onednn

// Batch norm with addend and ReLU as one operation: its backward pass against five-point differences of its forward pass
// (tests/parity/finite_difference_test.cpp has the formula), over two groups of images.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "tests/support/finite_difference.h"
#include "tests/support/fused_bench.h"

namespace convoy::fused {
namespace {

constexpr int n = 6, group = 3, h = 2, w = 3, c = 5;

std::vector<float> noise(size_t count, uint64_t stream) {
  std::vector<float> values(count);
  const Random random(9, stream);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(2 * unit(random.bits(i)) - 1);
  return values;
}

class Block {
 public:
  explicit Block(bool relu, bool addend) {
    const Tensor map{.n = n, .h = h, .w = w, .c = c, .channels = c}, vector{.c = c, .channels = c};
    const auto count = static_cast<size_t>(map.elements());
    x_ = bench_.add(map, noise(count, 1));
    addend_ = addend ? bench_.add(map, noise(count, 2)) : -1;
    scale_ = bench_.add(vector, noise(c, 3));
    shift_ = bench_.add(vector, noise(c, 4));
    dy_ = bench_.add(map, noise(count, 5));
    y_ = bench_.add(map), dx_ = bench_.add(map), d_addend_ = addend ? bench_.add(map) : -1;
    Tensor bits = map;
    bits.type = Type::bits;
    mask_ = relu ? bench_.add(bits) : -1;
    for (int g = 0; g < n / group; ++g) {
      NormForward& forward = forward_.emplace_back();
      forward = {1e-2f, g * group, group, x_, scale_, shift_, addend_, y_, mask_, -1, -1, -1};
      for (Id* id : {&forward.mean, &forward.inv_std, &forward.variance}) *id = bench_.add(vector);
      NormBackward& backward = backward_.emplace_back();
      backward = {g * group,       group,  dy_, mask_,     x_, forward.mean,
                  forward.inv_std, scale_, dx_, d_addend_, -1, -1};
      for (Id* id : {&backward.dscale, &backward.dshift}) *id = bench_.add(vector);
    }
  }

  // The worst error of any gradient where no ReLU changes its mind within the differences, and how many there were.
  double worst_error(int& compared) {
    loss();
    for (const NormBackward& backward : backward_) bench_.run(backward);
    std::vector<float> dscale = bench_.values(backward_[0].dscale),
                       dshift = bench_.values(backward_[0].dshift);
    for (size_t i = 0; i < dscale.size(); ++i) {
      dscale[i] += bench_.values(backward_[1].dscale)[i];
      dshift[i] += bench_.values(backward_[1].dshift)[i];
    }
    double worst = std::max(compare(scale_, dscale, compared), compare(shift_, dshift, compared));
    worst = std::max(worst, compare(x_, bench_.values(dx_), compared));
    return addend_ < 0 ? worst : std::max(worst, compare(addend_, bench_.values(d_addend_), compared));
  }

 private:
  double loss() {
    for (const NormForward& forward : forward_) bench_.run(forward);
    const std::vector<float> y = bench_.values(y_), dy = bench_.values(dy_);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * static_cast<double>(dy[i]);
    return sum;
  }
  std::vector<bool> let_through() {
    std::vector<bool> through;
    for (const float y : bench_.values(y_)) through.push_back(y > 0);
    return through;
  }
  double compare(Id id, const std::vector<float>& gradient, int& compared) {
    const auto branch = [&] { return mask_ < 0 ? std::vector<bool>() : let_through(); };
    return testing::worst_slope(
        bench_, id, gradient, [&] { return loss(); }, branch, compared);
  }

  testing::Bench bench_;
  Id x_, addend_, scale_, shift_, dy_, y_, dx_, d_addend_, mask_;
  std::vector<NormForward> forward_;
  std::vector<NormBackward> backward_;
};

}  // namespace

TEST_CASE("fused batch norm: gradients are those of finite differences, with and without addend and ReLU") {
  for (const bool relu : {false, true})
    for (const bool addend : {false, true}) {
      int compared = 0;
      INFO("relu " << relu << ", addend " << addend);
      // h^4 of a function with curvature, and the rounding of a sum of 180 f32 over h.
      CHECK(Block(relu, addend).worst_error(compared) < 1e-3);
      CHECK(compared > (relu ? 100 : 180));
    }
}

}  // namespace convoy::fused

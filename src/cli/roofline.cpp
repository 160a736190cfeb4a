#include "cli/roofline.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "base/clones.h"
#include "cli/trial.h"

namespace convoy::cli {
namespace {

constexpr int lanes =
    112;  // 7 registers of 16 lanes, or 14 of 8: chains enough to hide the latency of fma, on every x86
constexpr int rounds = 200000;

// The compiler vectorizes the inner loop for each of these instruction sets; the loader picks one.
CONVOY_CLONES float multiply_and_add(float factor, float term) {
  float sums[lanes];
  for (int i = 0; i < lanes; ++i) sums[i] = static_cast<float>(i);
  for (int round = 0; round < rounds; ++round)
    for (int i = 0; i < lanes; ++i) sums[i] = std::fma(sums[i], factor, term);
  float sum = 0;
  for (const float one : sums) sum += one;
  return sum;
}

// Seconds of the slowest of `threads`, which begin together; the best of `tries`.
double together(int threads, int tries, const std::function<void(int thread)>& work) {
  double best = 1e30;
  for (int i = 0; i < tries; ++i) {
    std::barrier gate(threads);
    std::vector<double> seconds(static_cast<size_t>(threads));
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&, t] {
        gate.arrive_and_wait();
        seconds[static_cast<size_t>(t)] = seconds_of([&] { work(t); });
      });
    all.clear();
    best = std::min(best, std::ranges::max(seconds));
  }
  return best;
}

}  // namespace

double Roofline::seconds(double flops, double bytes) const {
  return std::max(flops / flops_per_s, bytes / bytes_per_s);
}

Roofline measure_roofline(int threads) {
  std::vector<float> kept(static_cast<size_t>(threads));
  const double computing = together(threads, 5, [&](int t) {
    kept[static_cast<size_t>(t)] = multiply_and_add(1.0f - 1e-7f * static_cast<float>(t + 1), 1e-9f);
  });
  const size_t each = (size_t{48} << 20) / static_cast<size_t>(std::min(threads, 12));  // elements
  std::vector<std::vector<float>> a(kept.size()), b(kept.size()), c(kept.size());
  together(threads, 1, [&](int thread) {  // first touched where they are used
    const auto t = static_cast<size_t>(thread);
    a[t].assign(each, 0.0f), b[t].assign(each, 1.0f), c[t].assign(each, kept[t]);
  });
  const double moving = together(threads, 4, [&](int thread) {
    const auto t = static_cast<size_t>(thread);
    float* __restrict to = a[t].data();
    const float *x = b[t].data(), *y = c[t].data();
    for (size_t i = 0; i < each; ++i) to[i] = x[i] + 3.0f * y[i];
  });
  return {.flops_per_s = 2.0 * lanes * rounds * threads / computing,
          .bytes_per_s = 3.0 * sizeof(float) * static_cast<double>(each) * threads / moving};
}

}  // namespace convoy::cli

// Tensors of many sizes as a Vector's calls take them, more than a GPU's launch does, and what two Vectors make of them.
#pragma once

#include <random>
#include <vector>

#include "port/backend.h"

namespace convoy::testing {

struct ManyTensors {
  static constexpr int count = 150;
  std::vector<size_t> sizes, begin;
  size_t all = 0;
  explicit ManyTensors(unsigned seed) {
    std::mt19937 random(seed);
    for (int t = 0; t < count; ++t) {
      begin.push_back(all);
      sizes.push_back(t % 10 == 3 ? 20000 + random() % 9000 : t % 31 == 5 ? 0 : 1 + random() % 700);
      all += sizes.back();
    }
  }

  // Everything that `vector` computes of these values: states after steps of each kind, then the norms.
  // `memory(n)`: n floats that the vector's device may be given, alive until the end.
  template <class Memory>
  std::vector<double> computed(Vector& vector, const Memory& memory) const {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    const auto values = [&](float plus) {
      const std::span<float> made = memory(all);
      for (float& value : made) value = plus + (plus > 0 ? std::abs(normal(random)) : normal(random));
      return made;
    };
    const std::span<float> w = values(0), v = values(0), g = values(0), m = values(0.5f), r = values(0);
    std::vector<MomentumTaskOf<float>> momentum;
    std::vector<RmspropTaskOf<float>> rmsprop;
    std::vector<AverageTaskOf<float>> averages;
    std::vector<NormTaskOf<float>> norms;
    for (size_t t = 0; t < sizes.size(); ++t) {
      const auto of = [&](std::span<float> whole) { return whole.subspan(begin[t], sizes[t]); };
      const float number = 0.001f * static_cast<float>(t + 1);
      momentum.push_back({of(w), of(v), of(g), {0.25f, 1e-4f, 0.9f, number, 0.7f, t % 2 == 0 ? 0.0f : 0.9f}});
      rmsprop.push_back({of(w), of(v), of(m), of(g), {0.25f, 1e-4f, 0.9f, 0.99f, 0.5f, number, 1e-3f, 0.1f}});
      averages.push_back({of(r), of(g), t % 3 == 0 ? 0.0f : 0.9f, number});
      norms.push_back({of(w)});
      norms.push_back({of(g), of(w), number, 0.5f});
    }
    vector.momentum_steps(momentum);
    vector.rmsprop_steps(rmsprop);
    vector.running_averages(averages);
    std::vector<double> found(norms.size());
    vector.squared_norms(norms, found);
    for (const std::span<float> each : {w, v, m, r}) found.insert(found.end(), each.begin(), each.end());
    return found;
  }
};

}  // namespace convoy::testing

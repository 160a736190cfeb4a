// Two runs of one Program, compared node by node in program order: every value, every gradient, every parameter's
// gradient and every batch statistic that both plans can show. The first that differs is the nearest to the cause.
//
// A tensor differs when ||a - b|| > tolerance * ||a|| (Euclidean norms, a is the oracle's), or when either holds a NaN
// that the other does not. With eps = 2^-24 and N the number of products and terms summed in one element's chain so
// far (sum over the nodes up to here of their reduction lengths), rounding walks randomly:
//   forward    k * eps * sqrt(N)
//   backward   k * eps * sqrt(N) + sqrt(K * k * eps * sqrt(N_forward)), K the ReLUs and max poolings that the gradient
// has come through: where values differ by d, a share of about d of them lies within d of the kink and takes the other
// branch, an error of sqrt(d) in norm for each.
// k = 0 asks for equal bits (+0 and -0 are equal).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "port/backend.h"

namespace convoy {

struct Difference {
  std::string what;   // "gradient of layer1.0.conv1 (conv, backward)"
  int64_t index = 0;  // of the worst element, NCHW or canonical order
  double expected = 0, actual = 0;
  double error = 0, tolerance = 0;  // relative to the norm
  std::string text() const;         // one sentence
};

struct Compared {
  Plan* plan;
  Arena* arena;
};

// `seen`, if given, is called with every tensor's error and tolerance (reports).
using Seen = std::function<void(const std::string& what, double error, double tolerance)>;
std::optional<Difference> first_difference(const Program& program, Compared oracle, Compared subject,
                                           double k, const Seen& seen = {});

}  // namespace convoy

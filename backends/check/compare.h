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

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

// One tensor of a run, and how far two runs may part in it by rounding.
struct Shown {
  enum class Kind { value, gradient, parameter_gradient, statistic };
  Kind kind;
  int index;         // of the node, parameter or statistic
  std::string what;  // "output of layer1.0.conv1 (conv, forward)"
  double tolerance;
};
std::vector<Shown> shown_tensors(const Program& program, double k);  // in program order
// False if the plan does not show it.
bool fetch(const Program& program, const Compared& from, const Shown& shown, std::vector<float>& into);

// Two tensors of one shape. `error` is relative to a's norm, the element is that with the largest difference.
struct Measured {
  double error = 0;
  int64_t unequal = 0, index = 0;
  uint64_t ulps =
      0;  // the most of any element: f32 numbers between the two, +0 and -0 being one; NaN: the maximum
};
Measured measure(std::span<const float> a, std::span<const float> b);

// `seen`, if given, is called with every tensor's error and tolerance (reports).
using Seen = std::function<void(const std::string& what, double error, double tolerance)>;
std::optional<Difference> first_difference(const Program& program, Compared oracle, Compared subject,
                                           double k, const Seen& seen = {});

}  // namespace convoy

// Runs one Program on two backends with the same weights and batch and compares all that both can show (compare.h).
// Numbers are small integers, a function of (seed, index): every sum of products stays below 2^24, so f32 is exact in
// any order of additions and the tolerance is zero. Averages get multiples of the window's size.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "backends/check/compare.h"
#include "port/backend.h"
#include "problem.h"

namespace convoy::parity {

// to[i] = unit * an integer in [-range, range], zero for most i when `keep_one_of` is large.
void fill_integers(std::span<float> to, uint64_t seed, int range, float unit = 1.0f,
                   uint32_t keep_one_of = 1);
void fill_normal(std::span<float> to, uint64_t seed);

struct Numbers {  // of a batch; owns what batch() points to
  std::vector<float> images, top;
  std::vector<int32_t> labels;
  Batch batch() const;
};

struct RunOptions {
  bool keep_values = true;  // of the subject; the oracle always keeps
  bool allow_reference_kernels = false;
  bool winograd = false;
  double k = 0;
  bool behind_conv = false;  // run_problem: a convolution by the identity before the operation
  // Integers in [-range, range], one of `keep_one_of` of them kept: of few and small ones, sums fit in eight bits too.
  int range = 3;
  uint32_t keep_one_of = 2;
  // A planted bug: changes what the subject is given. The oracle has the original.
  std::function<void(Program&)> change_program{};
  std::function<void(Arena&)> change_weights{};
  Seen seen{};
};

// Compares `subject` with `oracle` on the program; weights are written by `fill`.
std::optional<Difference> run_both(const Program& program, Backend& oracle, Backend& subject,
                                   const Numbers& numbers, const std::function<void(Arena&)>& fill,
                                   const RunOptions& options = {});

// The same for a problem, with numbers that fit it.
std::optional<Difference> run_problem(const Problem& problem, Backend& oracle, Backend& subject,
                                      RunOptions options = {});

// What to type to run `problem` alone.
std::string repeat(const Problem& problem);

}  // namespace convoy::parity

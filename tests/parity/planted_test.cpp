// Bugs planted on purpose: the subject gets a Program or weights that are wrong in one way, the oracle the right ones,
// and parity must report a difference. Each case also shows that without the bug there is none.
#include <algorithm>
#include <catch2/catch.hpp>

#include "backends/registry.h"
#include "runner.h"
#include "tests/support/subject.h"

namespace convoy::parity {

namespace {

// The first convolution of a program, to be changed.
Conv& conv_of(Program& program) { return std::get<Conv>(program.graph.nodes[1].op); }

void require_caught(const char* line, const RunOptions& planted, const char* where) {
  const Problem problem = parse(line);
  const auto oracle = make_backend("reference", 2), subject = make_backend(subject_backend(), 2);
  REQUIRE_FALSE(run_problem(problem, *oracle, *subject).has_value());
  for (bool keep_values : {true, false}) {
    RunOptions options = planted;
    options.keep_values = keep_values;
    const auto difference = run_problem(problem, *oracle, *subject, options);
    REQUIRE(difference.has_value());
    INFO(difference->text());
    CHECK(difference->what.find(where) != std::string::npos);
    CHECK(difference->expected != difference->actual);
  }
}

}  // namespace

TEST_CASE("a planted padding bug is caught") {
  // 9 pixels, kernel 3, stride 3: three windows with padding on the left or without.
  RunOptions options;
  options.change_program = [](Program& p) { conv_of(p).padding = {1, 0}; };
  require_caught("conv n2 c16 9x9 o16 k3x3 s3x3 p0x0 g1", options, "output of conv");
  options.change_program = [](Program& p) { conv_of(p).padding = {0, 1}; };
  require_caught("conv n2 c16 9x9 o16 k3x3 s3x3 p1x0 g1 bias", options, "output of conv");
}

TEST_CASE("a planted layout bug is caught") {
  RunOptions options;  // OIHW taken for IOHW
  options.change_weights = [](Arena& arena) {
    const auto w = arena.param(0);
    const std::vector<float> right(w.begin(), w.end());
    for (size_t o = 0; o < 16; ++o)
      for (size_t i = 0; i < 16; ++i) std::copy_n(&right[(o * 16 + i) * 9], 9, &w[(i * 16 + o) * 9]);
  };
  require_caught("conv n2 c16 8x8 o16 k3x3 s1x1 p1x1 g1", options, "output of conv");

  RunOptions turned;  // height and width of the kernel exchanged
  turned.change_weights = [](Arena& arena) {
    const auto w = arena.param(0);
    for (size_t at = 0; at < w.size(); at += 9)
      for (size_t y = 0; y < 3; ++y)
        for (size_t x = 0; x < y; ++x) std::swap(w[at + 3 * y + x], w[at + 3 * x + y]);
  };
  require_caught("conv n2 c8 8x8 o8 k3x3 s1x1 p1x1 g1 bias", turned, "output of conv");
}

TEST_CASE("a planted CHW order bug is caught") {
  RunOptions options;  // a linear layer that reads its maps as HWC
  options.change_weights = [](Arena& arena) {
    const auto w = arena.param(0);
    const std::vector<float> right(w.begin(), w.end());
    const size_t channels = 16, pixels = 4, inputs = channels * pixels;
    for (size_t o = 0; o < w.size() / inputs; ++o)
      for (size_t c = 0; c < channels; ++c)
        for (size_t p = 0; p < pixels; ++p)
          w[o * inputs + p * channels + c] = right[o * inputs + c * pixels + p];
  };
  require_caught("linear n2 c16 2x2 o10 bias", options, "output of linear");
}

TEST_CASE("a planted group bug is caught") {
  RunOptions options;  // the groups' weights exchanged
  options.change_weights = [](Arena& arena) {
    const auto w = arena.param(0);
    std::rotate(w.begin(), w.begin() + static_cast<std::ptrdiff_t>(w.size() / 2), w.end());
  };
  require_caught("conv n2 c16 8x8 o16 k3x3 s1x1 p1x1 g2", options, "output of conv");

  RunOptions four;  // half the weights read as if there were four groups
  four.change_program = [](Program& p) {
    conv_of(p).groups = 4;
    p.graph.params[0].shape[1] /= 2;
  };
  require_caught("conv n2 c16 8x8 o16 k3x3 s1x1 p1x1 g2 bias", four, "output of conv");
}

TEST_CASE("a planted bug in batch norm's groups is caught by the rounding bound") {
  RunOptions options;
  options.change_program = [](Program& p) { std::get<BatchNorm>(p.graph.nodes[1].op).group = 0; };
  require_caught("batchnorm n4 c16 7x7 affine group2", options, "output of norm");
  options.change_program = [](Program& p) { std::get<BatchNorm>(p.graph.nodes[1].op).group = 4; };
  require_caught("batchnorm n8 c16 7x7 affine group2", options, "output of norm");
}

TEST_CASE("a planted epsilon bug in batch norm is caught by the rounding bound") {
  RunOptions options;
  options.change_program = [](Program& p) { std::get<BatchNorm>(p.graph.nodes[1].op).epsilon = 1e-3f; };
  require_caught("batchnorm n2 c16 7x7 affine", options, "output of norm");
}

}  // namespace convoy::parity

// Every problem of the lists on the backend under test (subject.h) against the reference: zero tolerance on integers for convolution,
// linear, pooling, sum and ReLU, forward and every gradient; a rounding bound for batch norm, LRN and loss. Both as the
// plans of keep_values and as the fused plans that train.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "backends/registry.h"
#include "runner.h"
#include "tests/support/subject.h"

namespace convoy::parity {

namespace {

void check_problem(const Problem& problem, Backend& oracle, Backend& subject, RunOptions options = {}) {
  INFO(problem.text() << " on " << subject.device().library);
  INFO(repeat(problem));
  std::optional<Difference> difference;
  REQUIRE_NOTHROW(difference = run_problem(problem, oracle, subject, options));
  INFO((difference ? difference->text() : ""));
  CHECK_FALSE(difference.has_value());
}

void check_list(const std::string& file, bool keep_values) {
  const auto oracle = make_backend("reference", 2), subject = make_backend(subject_backend(), 2);
  for (const Problem& p : read_problems(std::string(CONVOY_SOURCE_DIR) + "/tests/parity/" + file)) {
    RunOptions options;
    options.keep_values = keep_values;
    // Not every ISA has a fast kernel for a few channels a group. The networks' own groups must have one.
    const auto* conv = std::get_if<Conv>(&p.op);
    options.allow_reference_kernels = file == "odd.txt" && conv != nullptr && conv->groups > 1;
    check_problem(p, *oracle, *subject, options);
  }
}

}  // namespace

TEST_CASE("every shape of the ResNets agrees with the reference") { check_list("resnet.txt", false); }
TEST_CASE("every shape of the AlexNets agrees with the reference") { check_list("alexnet.txt", false); }
TEST_CASE("odd shapes agree with the reference") { check_list("odd.txt", false); }
TEST_CASE("odd shapes agree with the reference when all values are kept") { check_list("odd.txt", true); }

TEST_CASE("other thread counts are exact too") {
  const auto oracle = make_backend("reference", 1);
  for (int threads : {1, 3}) {
    const auto subject = make_backend(subject_backend(), threads);
    for (const char* line : {"conv n3 c24 14x14 o40 k3x3 s2x2 p1x1 g1 bias", "linear n5 c48 3x3 o30 bias",
                             "maxpool n3 c24 15x15 k3x3 s2x2 p1x1"})
      check_problem(parse(line), *oracle, *subject);
  }
}

// The one in the environment's CONVOY_PROBLEM, hidden from ordinary runs.
TEST_CASE("one problem", "[.]") {
  const char* line = std::getenv("CONVOY_PROBLEM");
  REQUIRE(line != nullptr);
  const auto oracle = make_backend("reference", 2), subject = make_backend(subject_backend(), 2);
  for (bool keep_values : {false, true}) {
    RunOptions options;
    options.keep_values = keep_values;
    options.allow_reference_kernels = true;
    options.seen = [&](const std::string& what, double error, double tolerance) {
      std::printf("%s: error %.3g, tolerance %.3g\n", what.c_str(), error, tolerance);
    };
    check_problem(parse(line), *oracle, *subject, options);
  }
}

}  // namespace convoy::parity

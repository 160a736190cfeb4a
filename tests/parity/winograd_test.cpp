// Plans by Winograd's algorithm against the reference: exact on integers, and only where the experiment allows it. (Its loops by
// themselves: tests/unit/winograd_test.cpp.)
#include <catch2/catch.hpp>

#include "backends/registry.h"
#include "runner.h"

namespace convoy::parity {

namespace {

int named(const PlanInfo& info, const std::string& what) {
  return static_cast<int>(std::ranges::count_if(
      info.steps, [&](const StepInfo& step) { return step.implementation.find(what) != std::string::npos; }));
}

}  // namespace

TEST_CASE("a plan by Winograd's algorithm is exact on integers, and only where it is allowed") {
  const auto oracle = make_backend("reference", 2), subject = make_backend("onednn", 2);
  const std::string isa = subject->device().isa;
  const bool known = isa.starts_with("avx2") || isa.starts_with("avx512_core");
  for (const char* line :
       {"conv n4 c64 14x14 o128 k3x3 s1x1 p1x1 g1", "conv n4 c64 13x13 o32 k3x3 s1x1 p1x1 g1 bias",
        "conv n4 c32 12x10 o64 k3x3 s1x1 p0x0 g1"})
    for (const bool keep_values : {false, true}) {
      const Problem problem = parse(line);
      INFO(line << (keep_values ? ", values kept" : ""));
      RunOptions options;
      options.keep_values = keep_values;
      options.winograd = true;
      options.behind_conv = true;
      const auto difference = run_problem(problem, *oracle, *subject, options);
      INFO((difference ? difference->text() : ""));
      CHECK_FALSE(difference.has_value());
      const Program program = lower(graph_of(problem, true), problem.images);
      Arena arena(program.graph, program.layout, 0);
      CHECK(named(subject->compile(program, arena, {.keep_values = keep_values, .winograd = true})->info(),
                  "convoy:winograd") == (known ? 2 : 0));
      CHECK(named(subject->compile(program, arena, {.keep_values = keep_values})->info(), "winograd") == 0);
    }
}

}  // namespace convoy::parity

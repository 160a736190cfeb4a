// What `convoy plan` has found out of a job, as text for people and as JSON for programs. Flops count multiply and add;
// bytes are the least traffic; memory is of one rank.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/datasets.h"
#include "comm/reducer.h"
#include "net/cost.h"
#include "net/program.h"
#include "train/optimizer.h"
#include "train/placement.h"
#include "train/schedule.h"

namespace convoy::cli {

struct PlanReport {
  Experiment experiment;
  Sets sets;
  Placement placement;
  Schedule schedule;
  Program program;
  std::vector<int64_t> live;  // bytes of values and gradients that are alive while each step runs
  PassCosts costs;
  Optimizer optimizer;
  int classes = 0;  // what the network tells apart, which may be more than the set holds
  uint64_t arena_bytes = 0, reducer_bytes = 0, allreduce_bytes = 0;
};

PlanReport make_plan_report(const Experiment& experiment, const Sets& sets, const Placement& placement);
struct LeastAndMost {
  int least = 0, most = 0;
};
LeastAndMost workers_of_ranks(const Placement& placement);
void print_plan(const PlanReport& report, bool layers);
nlohmann::ordered_json plan_json(const PlanReport& report, bool layers);

}  // namespace convoy::cli

// An Experiment on a Cluster: when each gradient bucket is ready, what the step computes and what follows the sum. The
// step time is the cluster file's for this network, split over the operations by their flops. Another minibatch: affine
// through the two nearest that the file has (a step has a part that does not shrink), by the ratio of images where it has
// one. A network that the file does not have takes another's, by the ratio of flops.
#pragma once

#include <string>

#include "simulate/closed_form.h"
#include "simulate/cluster.h"
#include "simulate/scenario.h"
#include "train/experiment.h"

namespace convoy {
struct Program;
}

namespace convoy::simulate {

struct JobOptions {
  int ranks = 0;  // 0: one a worker, or as many as the cluster has
  Basis basis = Basis::calibration;
  Algorithm algorithm = Algorithm::tree;
  bool overlap = true;
  int64_t images = 1281167;  // of the training set, for the number of steps; ImageNet's
  int classes = 1000;
};

struct SimulatedJob {
  Scenario scenario;
  Algorithm algorithm = Algorithm::tree;
  int workers = 1, local = 1, nodes = 1;  // local: workers of the busiest rank, one after another
  int64_t images = 0;                     // a step's, all workers'
  int64_t steps = 0;
  double bytes = 0;         // of gradients on the wire, one step
  double loading = 0;       // seconds of a rank's step, in scenario.compute, that its loader has the cores
  std::string step_source;  // where the compute time is from
};

// Exit::usage where ranks, workers and cluster do not fit together.
SimulatedJob make_job(const Experiment& experiment, const Cluster& cluster, const JobOptions& options);

struct Breakdown {  // of one iteration, seconds; they add up to `iteration`
  double iteration = 0;
  double data = 0;        // loading, where the cluster file has the loader's rate
  double compute = 0;     // of a usual rank
  double imbalance = 0;   // of the slowest above that
  double exposed = 0;     // communication that nothing hides
  double overhead = 0;    // update and what else follows
  double efficiency = 0;  // against one rank alone
};

Breakdown measured(const SimulatedJob& job, const Answer& answer);
Breakdown forecast(const SimulatedJob& job, AlphaBeta network);  // by closed form

}  // namespace convoy::simulate

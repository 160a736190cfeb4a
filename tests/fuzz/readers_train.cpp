// What `convoy train` reads: checkpoints and job files.
#include <stdexcept>

#include "base/error.h"
#include "net/cost.h"
#include "scratch.h"
#include "small_network.h"
#include "train/checkpoint.h"
#include "train/experiment.h"
#include "train/network.h"

namespace convoy::fuzz {
namespace {

namespace fs = std::filesystem;

void read_checkpoints(Bytes bytes) {
  const fs::path path = written("checkpoint-00000003.h5", bytes);
  SmallNetwork small;
  try {
    read_checkpoint(path, small.graph, small.arena);
  } catch (const Error&) {
    read_snapshot(path);
  }
}

void read_jobs(Bytes bytes) {
  const Experiment experiment = parse_experiment_text(as_text(bytes), "job.toml");
  const DatasetFacts facts{"set", "fingerprint", 1281167, 1000};
  const Experiment again = parse_experiment_text(resolved_toml(experiment), "resolved.toml");
  if (arithmetic(experiment, facts, facts) != arithmetic(again, facts, facts))
    throw std::logic_error("a resolved job that is another experiment");
  const Graph graph = make_network(experiment.network, facts.classes);
  multiply_adds(graph);
  cost_of(lower(graph, runs_of(experiment).images));
}

}  // namespace

std::vector<Reader> train_readers() { return {{"checkpoint", read_checkpoints}, {"job", read_jobs}}; }

}  // namespace convoy::fuzz

#include "interop/initial_weights.h"

#include <sstream>

#include "base/error.h"
#include "interop/weights.h"
#include "net/program.h"

namespace convoy {
namespace {

void require_digest(const Experiment& experiment, const std::string& found) {
  require(
      experiment.train.weights_xxh3 == found, Exit::usage,
      "{} gives initial weights with the digest {}, where the experiment has {} (train.weights_xxh3): give the "
      "file that the run began with",
      experiment.train.weights.string(), found, experiment.train.weights_xxh3);
}

}  // namespace

std::vector<std::string> fresh_layers(const Experiment& experiment) {
  std::vector<std::string> layers;
  std::istringstream list(experiment.train.fresh);
  for (std::string layer; std::getline(list, layer, ',');)
    if (!layer.empty()) layers.push_back(layer);
  return layers;
}

std::vector<std::string> complete_with_weights(Experiment& experiment, const Graph& graph, bool recorded,
                                               Communicator& comm) {
  TrainOptions& train = experiment.train;
  if (train.weights.empty() || (recorded && !train.weights_xxh3.empty())) return {};
  std::string digest;
  std::vector<std::string> warnings;
  if (comm.rank() == 0) {
    Arena arena(graph, lower(graph, 1, {.mode = Mode::inference}).layout, 0);
    arena.initialize(train.seed);
    const Imported imported = import_weights(train.weights, graph, arena, fresh_layers(experiment));
    digest = arena.digest();
    if (imported.rounded > 0)
      warnings.push_back(fmt::format("{}: {} of its F64 values are no f32 values and were rounded",
                                     train.weights.string(), imported.rounded));
    if (!train.weights_xxh3.empty()) require_digest(experiment, digest);
  }
  if (train.weights_xxh3.empty()) experiment.origins["train.weights_xxh3"] = "read from the file";
  train.weights_xxh3 = comm.gather(digest).front();
  return warnings;
}

StartFn start_of(const Experiment& experiment, const Graph& graph) {
  if (experiment.train.weights.empty()) return {};
  return [&experiment, &graph](Arena& arena) {
    import_weights(experiment.train.weights, graph, arena, fresh_layers(experiment));
    require_digest(experiment, arena.digest());
  };
}

}  // namespace convoy

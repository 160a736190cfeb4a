#include "cli/loaders.h"

#include "data/loader.h"

namespace convoy::cli {
namespace {

LoaderOptions options_of(const Experiment& experiment, bool training, const MinibatchOptions& batches,
                         std::vector<int> mine, int threads, DeviceInput input, SpanSink* spans) {
  LoaderOptions options;
  options.training = training;
  options.seed = experiment.train.seed;
  options.workers = batches.workers;
  options.batch = batches.images;
  options.transform = transform_of(experiment.data);
  options.local_workers = std::move(mine);
  options.threads = threads;
  options.input = input;
  options.spans = spans;
  return options;
}

std::vector<int> all_of(const Share& share) {
  std::vector<int> all;
  for (int i = 0; i < share.count; ++i) all.push_back(share.first + i);
  return all;
}

}  // namespace

Loaders loaders_of_rank(const Sets& sets, const Experiment& experiment, const Placement& placement,
                        const Communicator& comm, int threads, DeviceInput input, SpanSink* spans) {
  Loaders loaders;
  loaders.images =
      make_loader(sets.training, options_of(experiment, true, runs_of(experiment),
                                            all_of(placement.runs(comm.rank())), threads, input, spans));
  if (sets.evaluation)
    loaders.held_out =
        make_loader(sets.evaluation, options_of(experiment, false, {comm.size(), experiment.minibatch.images},
                                                {comm.rank()}, threads, input, nullptr));
  return loaders;
}

}  // namespace convoy::cli

#include "cli/trial.h"

#include "base/random.h"
#include "train/network.h"
#include "train/port_options.h"

namespace convoy::cli {

Trial::Trial(const Experiment& experiment, Backend& backend, Mode mode, int states,
             const CompileOptions& options)
    : program_(lower(make_network(experiment.network, 1000), runs_of(experiment).images,
                     {mode, bucket_bytes(experiment), false})),
      arena_(program_.graph, program_.layout, states, [&](size_t bytes) { return backend.allocate(bytes); }),
      pixels_(static_cast<size_t>(program_.images * program_.graph.nodes[0].shape.elements())),
      labels_(static_cast<size_t>(program_.images)) {
  arena_.initialize(1);
  plan_ = backend.compile(program_, arena_, compile_options_of(experiment, options));
  const Random random(1, stream_of("calibrate"));
  const auto classes = static_cast<uint64_t>(program_.graph.nodes.rbegin()[1].shape.channels);
  for (size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<float>(unit(random.bits(i)) - 0.5);
  for (size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<int32_t>(random.bits(i) % classes);
}

double Trial::run(const ReadyFn& ready) {
  return run({.images = pixels_, .labels = labels_, .seed = 1}, ready);
}

double Trial::run(Batch batch, const ReadyFn& ready) {
  return seconds_of([&] {
    if (program_.mode == Mode::training)
      plan_->train(batch, ready);
    else
      plan_->infer(batch);
  });
}

}  // namespace convoy::cli

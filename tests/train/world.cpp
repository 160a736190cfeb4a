#include "world.h"

#include "backends/registry.h"
#include "base/error.h"
#include "train/network.h"

namespace convoy::testing {
namespace {

constexpr Shape image{3, 8, 8};

std::filesystem::path make_shared() {
  std::string name = (std::filesystem::temp_directory_path() / "convoy-train-XXXXXX").string();
  if (world().rank() == 0) name = ::mkdtemp(name.data());
  return world().gather(name).front();
}

}  // namespace

Graph tiny_graph(const NetworkOptions& options) {
  const BatchNorm norm = norm_of(options, true);
  const Init normal{Init::Kind::normal, 0.2f};
  GraphBuilder b("tiny", image);
  int x = b.conv("conv1", 0, {.outputs = 8, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}, normal);
  x = b.relu("relu1", b.batchnorm("bn1", x, norm));
  int y = b.conv("conv2", x,
                 {.outputs = 8, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .bias = true}, normal);
  y = b.batchnorm("bn2", y, norm);
  x = b.relu("relu2", b.add("add", x, y));
  x = b.pool("pool", x, {.kind = Pool::Kind::average, .kernel = {4, 4}, .stride = {4, 4}});
  x = b.dropout("dropout", x, static_cast<float>(options.dropout));
  x = b.linear("fc", x, {.outputs = 4}, normal);
  b.softmax_loss("loss", x, 0.0f);
  return b.finish();
}

Experiment tiny_experiment() {
  Experiment e;
  e.name = "tiny";
  e.network.dropout = 0.1;
  e.minibatch = {8, 4};
  e.train.steps = 8;
  e.train.seed = 5;
  e.train.bucket_mib = 0.002;  // several buckets
  e.optimizer.nesterov = true;
  e.schedule.kind = "poly";
  e.schedule.rate = 0.2;
  e.schedule.warmup_steps = 2;
  e.schedule.warmup_from = 0.02;
  return e;
}

DatasetFacts tiny_facts(bool training) {
  return {training ? "train" : "held-out", "tiny-1", training ? train_samples : held_out_samples, 4};
}

Batch TinyLoader::next(int64_t step, int worker) {
  require(step != fail_at, "the loader dies at step {}", step);
  slot_ = 1 - slot_;
  auto& pixels = pixels_[slot_];
  auto& labels = labels_[slot_];
  const int64_t size = image.elements();
  pixels.assign(static_cast<size_t>(images_ * size), 0.0f);
  labels.assign(static_cast<size_t>(images_), -1);
  for (int64_t i = 0; i < images_; ++i) {
    const int64_t position = (step * workers_ + worker) * images_ + i;
    if (!training_ && position >= samples()) continue;  // padding
    const auto sample = static_cast<uint64_t>(position % samples()) + (training_ ? 0 : 1'000'000);
    const auto label = static_cast<int32_t>(sample % 4);
    labels[static_cast<size_t>(i)] = label;
    const Random random(1, stream_of("tiny", sample));
    for (int64_t e = 0; e < size; ++e) {
      const bool row = label % 2 == 0, fine = label < 2;  // stripes: across or down, narrow or wide
      const int64_t at = row ? e / image.width % image.height : e % image.width;
      const float pattern = at / (fine ? 1 : 2) % 2 == 0 ? 0.5f : -0.5f;
      pixels[static_cast<size_t>(i * size + e)] =
          pattern + static_cast<float>(unit(random.bits(static_cast<uint64_t>(e))) - 0.5);
    }
  }
  return {.images = pixels, .labels = labels};
}

Outcome train_on(Communicator& comm, const Run& run) {
  const Graph graph = tiny_graph(run.experiment.network);
  Placement placement =
      place(run.experiment.minibatch.workers, comm.size(), run.placement, workers_together(run.experiment));
  placement.reducer.copies = run.copies;
  std::unique_ptr<Backend> backend =
      make_backend(placement.backends.at(static_cast<size_t>(comm.rank())), run.threads, 0, run.precision);
  if (run.wrap) backend = run.wrap(std::move(backend));
  const MinibatchOptions runs = runs_of(run.experiment);
  TinyLoader images(true, runs.workers, runs.images);
  TinyLoader held_out(false, comm.size(), run.experiment.minibatch.images);
  images.fail_at = run.dies_at;
  Record silent;
  return train(Job{.experiment = run.experiment,
                   .placement = placement,
                   .graph = graph,
                   .comm = comm,
                   .backend = *backend,
                   .images = images,
                   .held_out = &held_out,
                   .train_facts = tiny_facts(true),
                   .held_out_facts = tiny_facts(false),
                   .checkpoints = run.checkpoints,
                   .record = run.record != nullptr ? *run.record : silent,
                   .log = {},
                   .stop = run.stop,
                   .deadline = run.deadline,
                   .check_every = run.check_every});
}

std::string digest_alone(const Run& run) {
  LocalCommunicator alone;
  return world().gather(world().rank() == 0 ? train_on(alone, run).digest : "").front();
}

SharedFolder::SharedFolder() : path(make_shared()) {}

SharedFolder::~SharedFolder() {
  world().barrier();
  std::error_code ignored;
  if (world().rank() == 0) std::filesystem::remove_all(path, ignored);
}

}  // namespace convoy::testing

// convoy evaluate RUN: exact held-out counts of a run's newest whole checkpoint.
#include "train/evaluate.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/registry.h"

#include "base/error.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/model.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "data/loader.h"
#include "train/port_options.h"
#include "train/predictions.h"
#include "train/run_directory.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string run, held_out, weights, predictions, backend = "onednn";
  ModelFlags model;
  int threads = 0, loader_threads = 0;
  bool oversubscribe = false;
  Voice voice;
};

// Rank 0's weights on all.
int64_t load_everywhere(const Model& model, Arena& arena, Communicator& comm, const Log& log) {
  int64_t step = 0;
  if (comm.rank() == 0) {
    const LoadedWeights loaded = load_weights(model, arena);
    for (const std::string& line : loaded.warnings) log.warn("{}", line);
    step = loaded.steps;
  }
  comm.broadcast(std::as_writable_bytes(std::span(&step, 1)), 0);
  comm.broadcast(std::as_writable_bytes(arena.weights()), 0);
  arena.weights_changed();
  return step;
}

void print_counts(const Flags& flags, int64_t step, const Totals& totals, const std::string& digest) {
  const auto share = [&](int64_t correct) {
    return static_cast<double>(correct) / static_cast<double>(totals.images);
  };
  if (flags.voice.json) {
    const nlohmann::ordered_json line{{"steps", step},
                                      {"images", totals.images},
                                      {"correct1", totals.correct1},
                                      {"correct5", totals.correct5},
                                      {"top1", share(totals.correct1)},
                                      {"top5", share(totals.correct5)},
                                      {"loss", totals.mean_loss()},  // NaN is dumped as null
                                      {"nonfinite", totals.nonfinite},
                                      {"weights_xxh3", digest}};
    print_json(line);
    return;
  }
  fmt::print("after {} steps, on {} held-out images: top-1 {:.2f} % ({}), top-5 {:.2f} % ({}), loss {:.4f}\n",
             step, totals.images, 100 * share(totals.correct1), totals.correct1, 100 * share(totals.correct5),
             totals.correct5, totals.mean_loss());
}

// A run, or a file's weights in the network that the file, a run or a job file says.
ModelFlags source_of(const Flags& flags) {
  ModelFlags model = flags.model;
  if (flags.weights.empty()) {
    require(!flags.run.empty(), Exit::usage, "name a run's folder, or --weights FILE");
    require(fs::is_directory(flags.run),
            "{} holds no run: name the folder that `convoy train` named (runs/...)", flags.run);
    model.source = flags.run;
    return model;
  }
  model.source = flags.weights;
  if (!flags.run.empty())
    model.job = fs::is_directory(flags.run) ? RunDirectory{flags.run}.config().string() : flags.run;
  return model;
}

int evaluate_run(const Flags& flags, Communicator& comm) {
  const Log log = flags.voice.log(comm.rank(), comm.host());
  const ModelFlags source = source_of(flags);
  std::string path = flags.held_out;
  if (path.empty()) path = open_model(source).experiment.data.held_out.string();
  require(!path.empty(), Exit::usage,
          "no held-out set is named: give --held-out FOLDER (written by `convoy pack`)");
  const auto dataset = std::make_shared<const Dataset>(Dataset::open(path, comm));
  const Model model = open_model(source, dataset->classes());
  const Experiment& experiment = model.experiment;
  const Graph& graph = model.graph;
  // Where the training set still is where the run found it: are these its classes, in its order?
  std::error_code ignored;
  std::array<int64_t, 1> missing{fs::exists(experiment.data.train, ignored) ? 0 : 1};
  comm.sum(missing);
  if (missing[0] == 0) check_pair(Dataset::open(experiment.data.train, comm), *dataset);
  const Program program =
      lower(graph, experiment.minibatch.images, {Mode::inference, bucket_bytes(experiment), false});
  const Affinity affinity = place(comm, {.threads = flags.threads,
                                         .allow_overlap = flags.oversubscribe,
                                         .flush_denormals = flushes_denormals(experiment, {flags.backend})});
  for (const std::string& line : affinity.map) log.detail("{}", line);
  const auto backend = make_backend(flags.backend, affinity.threads, turn_on_host(comm, flags.backend),
                                    precision_of(experiment));
  Arena arena(graph, program.layout, 0, [&](size_t bytes) { return backend->allocate(bytes); });
  const int64_t step = load_everywhere(model, arena, comm, log);
  const auto plan = backend->compile(program, arena, compile_options_of(experiment));
  LoaderOptions options;
  options.training = false;
  options.workers = comm.size();
  options.batch = experiment.minibatch.images;
  options.transform = transform_of(experiment.data);
  options.local_workers = {comm.rank()};
  options.threads = flags.loader_threads > 0 ? flags.loader_threads : affinity.threads;
  const auto loader = make_loader(dataset, options);
  Predictions predictions{dataset->fingerprint(), arena.digest(), step, {}};
  const Totals totals = flags.predictions.empty()
                            ? evaluate(*plan, *loader, program.images, comm)
                            : evaluate(*plan, program, *loader, comm, predictions.images);
  if (comm.rank() == 0) {
    if (!flags.predictions.empty()) write_predictions(flags.predictions, predictions);
    print_counts(flags, step, totals, predictions.weights);
  }
  require(
      totals.nonfinite == 0, Exit::diverged,
      "the loss of {} of {} held-out images is not finite: these weights have diverged; evaluate an earlier "
      "checkpoint with --checkpoint",
      totals.nonfinite, totals.images);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("evaluate", "exact held-out accuracy of a run's newest checkpoint");
  set_examples(*command, {"convoy evaluate runs/a", "mpirun -n 4 convoy evaluate runs/a --held-out set/val"});
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("run", flags->run,
                   "the run's folder; with --weights, a run or job file whose network it is")
      ->type_name("RUN");
  command->add_option("--weights", flags->weights, "a safetensors file instead of a run's checkpoint")
      ->type_name("FILE");
  command->add_option("--held-out", flags->held_out, "packed held-out set (default: the run's)")
      ->type_name("FOLDER");
  command
      ->add_option("--predictions", flags->predictions,
                   "also write what is predicted for every image; `convoy compare` reads RUN/predictions.csv")
      ->type_name("FILE");
  add_model_flags(*command, flags->model);
  command->add_option("--backend", flags->backend, "backend of every rank")
      ->capture_default_str()
      ->type_name(choices_text(backend_names()));
  command->add_option("--threads", flags->threads,
                      "compute threads a rank (default: its cores, but for two of 32 or more)");
  command->add_option("--loader-threads", flags->loader_threads,
                      "image decoder threads a rank (default: as --threads)");
  command->add_flag("--oversubscribe", flags->oversubscribe, "let ranks share cores (tests)");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] {
    context.chosen = [flags, &context] {
      return under_mpi(context, [&](Communicator& comm) { return evaluate_run(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli

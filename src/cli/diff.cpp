// convoy diff: two backends, thread counts or builds on the same weights and batch, tensor by tensor, forward and
// backward: where do they part, and is it rounding?
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/registry.h"
#include "base/digest.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/diff_report.h"
#include "cli/model.h"
#include "cli/tree.h"
#include "comm/affinity.h"
#include "data/loader.h"
#include "interop/initial_weights.h"
#include "interop/safetensors.h"
#include "interop/weights.h"
#include "net/program.h"
#include "train/network.h"
#include "train/port_options.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string what, train, weights, write, against;
  std::string a = "reference", b = "onednn";
  std::vector<std::string> overrides;
  int a_threads = 1, b_threads = 1, images = 4;
  double k = 16.0;
  bool json = false, all = false;
};

// What both sides are given: the network, the weights before step 0 or of a run, and a batch.
struct Problem {
  Model model;
  Program program;
  std::unique_ptr<Arena> arena;
  std::unique_ptr<Loader> loader;  // owns the batch
  Batch batch;
  std::string weights_digest, batch_digest;
};

std::shared_ptr<const Dataset> training_set(const Flags& flags, const std::string& recorded) {
  LocalCommunicator alone;
  std::error_code ignored;
  const std::string path = !flags.train.empty() ? flags.train : fs::exists(recorded, ignored) ? recorded : "";
  return path.empty() ? nullptr : std::make_shared<const Dataset>(Dataset::open(path, alone));
}

Model model_of(const Flags& flags) {
  if (fs::is_directory(flags.what)) return open_model({.source = flags.what, .overrides = flags.overrides});
  Model model;
  model.experiment = parse_experiment(flags.what, flags.overrides);
  if (!flags.weights.empty()) model.experiment.train.weights = flags.weights;
  return model;
}

Problem make_problem(const Flags& flags) {
  Problem problem;
  problem.model = model_of(flags);
  const Experiment& experiment = problem.model.experiment;
  const auto set = training_set(flags, experiment.data.train.string());
  const bool from_job = problem.model.files.empty();
  if (from_job) problem.model.graph = make_network(experiment.network, set ? set->classes() : 1000);
  const Graph& graph = problem.model.graph;
  problem.program = lower(graph, flags.images);
  problem.arena = std::make_unique<Arena>(graph, problem.program.layout, 0);
  problem.arena->initialize(experiment.train.seed);
  if (!from_job)
    load_weights(problem.model, *problem.arena);
  else if (!experiment.train.weights.empty())
    import_weights(experiment.train.weights, graph, *problem.arena, fresh_layers(experiment));
  if (set) {
    LoaderOptions options{
        .seed = experiment.train.seed, .batch = flags.images, .transform = transform_of(experiment.data)};
    problem.loader = make_loader(set, options);
  } else {
    problem.loader = make_synthetic_loader(
        {.classes = graph.nodes[static_cast<size_t>(graph.nodes.back().inputs[0])].shape.channels,
         .input = experiment.network.input,
         .batch = flags.images,
         .seed = experiment.train.seed});
  }
  problem.batch = problem.loader->next(0, 0);
  problem.batch.seed = experiment.train.seed;
  Digest digest;
  digest.add(problem.batch.images.data(), problem.batch.images.size_bytes());
  digest.add(problem.batch.labels.data(), problem.batch.labels.size_bytes());
  problem.batch_digest = digest.hex();
  problem.weights_digest = problem.arena->digest();
  return problem;
}

std::string text_of(const DeviceInfo& device) {
  return fmt::format("{} ({}, {}, {} thread{})", device.backend, device.library, device.isa, device.threads,
                     device.threads == 1 ? "" : "s");
}

// One backend's run over the problem, kept to be asked.
class Side {
 public:
  Side(const Problem& problem, const std::string& backend, int threads, bool flush)
      : program_(problem.program),
        convolutions_(problem.model.experiment.precision.convolutions),
        backend_(make_backend(backend, threads)),
        arena_(program_.graph, program_.layout, 0, [&](size_t bytes) { return backend_->allocate(bytes); }) {
    set_denormals(flush, backend_->device().threads);
    std::ranges::copy(problem.arena->weights(), arena_.weights().begin());
    arena_.weights_changed();
    plan_ = backend_->compile(program_, arena_,
                              compile_options_of(problem.model.experiment, {.keep_values = true}));
    plan_->train(problem.batch, [](BucketId, Event) {});
    set_denormals(false, backend_->device().threads);  // what is compared is every bit
  }
  std::string title() const {
    return text_of(backend_->device()) + (convolutions_ == "direct" ? "" : ", " + convolutions_);
  }
  bool fetch(const Shown& shown, std::vector<float>& into) {
    return convoy::fetch(program_, {plan_.get(), &arena_}, shown, into);
  }

 private:
  const Program& program_;
  std::string convolutions_;
  std::unique_ptr<Backend> backend_;
  Arena arena_;
  std::unique_ptr<Plan> plan_;
};

TensorMetadata facts_of(const Problem& problem) {
  return {{"schema", "convoy.diff-side/1"},
          {"network", problem.program.graph.name},
          {"images", std::to_string(problem.program.images)},
          {"weights_xxh3", problem.weights_digest},
          {"batch_xxh3", problem.batch_digest}};
}

int write_side(const Flags& flags, const Problem& problem) {
  Side side(problem, flags.b, flags.b_threads, flushes_denormals(problem.model.experiment, {flags.b}));
  std::vector<std::vector<float>> values;
  std::vector<TensorToWrite> tensors;
  for (const Shown& shown : shown_tensors(problem.program, flags.k)) {
    values.emplace_back();
    if (!side.fetch(shown, values.back())) continue;
    tensors.push_back({shown.what,
                       "F32",
                       {static_cast<int64_t>(values.back().size())},
                       std::as_bytes(std::span<const float>(values.back()))});
  }
  TensorMetadata facts = facts_of(problem);
  facts["side"] = side.title();
  write_safetensors(flags.write, tensors, facts);
  fmt::print("{}: {} tensors of {}, {} images, by {}\n", flags.write, tensors.size(),
             problem.program.graph.name, problem.program.images, side.title());
  return 0;
}

// The other side from a file, which must be of the same problem.
Safetensors open_side(const Flags& flags, const Problem& problem) {
  Safetensors file(flags.against);
  file.verify();
  for (const auto& [key, value] : facts_of(problem)) {
    const auto found = file.metadata().find(key);
    require(
        found != file.metadata().end() && found->second == value, Exit::usage,
        "{} is not of the same problem: its {} is {}, and here {}; give the job, set, weights, seed and --images that "
        "it was written with",
        flags.against, key, found == file.metadata().end() ? "missing" : found->second, value);
  }
  return file;
}

bool fetch(const Safetensors& file, const Shown& shown, std::vector<float>& into) {
  const TensorEntry* tensor = file.find(shown.what);
  if (tensor == nullptr) return false;
  into.resize(static_cast<size_t>(tensor->elements()));
  file.read(*tensor, into);
  return true;
}

int diff(const Flags& flags) {
  require(flags.weights.empty() || !fs::is_directory(flags.what), Exit::usage,
          "--weights {} goes with a job file; {} is a run, whose own weights are taken", flags.weights,
          flags.what);
  const Problem problem = make_problem(flags);
  if (!flags.write.empty()) return write_side(flags, problem);
  std::optional<Safetensors> file;
  std::optional<Side> a;
  const bool flush = flushes_denormals(problem.model.experiment, {flags.a, flags.b});
  if (flags.against.empty())
    a.emplace(problem, flags.a, flags.a_threads, flush);
  else
    file.emplace(open_side(flags, problem));
  Side b(problem, flags.b, flags.b_threads, flush);
  DiffReport report{.network = problem.program.graph.name,
                    .images = problem.program.images,
                    .weights_xxh3 = problem.weights_digest,
                    .batch_xxh3 = problem.batch_digest,
                    .a = a                                    ? a->title()
                         : file->metadata().count("side") > 0 ? file->metadata().at("side")
                                                              : flags.against,
                    .b = b.title(),
                    .lines = {}};
  std::vector<float> left, right;
  for (const Shown& shown : shown_tensors(problem.program, flags.k)) {
    const bool there = a ? a->fetch(shown, left) : fetch(*file, shown, left);
    if (!there || !b.fetch(shown, right)) continue;
    require(left.size() == right.size(), "{}: {} has {} numbers and not {}", flags.against, shown.what,
            left.size(), right.size());
    const Measured measured = measure(left, right);
    const auto at = static_cast<size_t>(measured.index);
    report.lines.push_back(
        {shown.what, measured, shown.tolerance, static_cast<int64_t>(left.size()), left[at], right[at]});
  }
  require(!report.lines.empty(), "there is no tensor that both sides show");
  if (flags.json)
    fmt::print("{}\n", report.json().dump(2));
  else
    fmt::print("{}", report.text(flags.all));
  return static_cast<int>(report.verdict() == DiffReport::Verdict::differs ? Exit::failed : Exit::ok);
}

}  // namespace

void add_diff(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("diff", "two backends or builds on one batch, layer by layer: is it rounding?");
  set_examples(
      *command,
      {"convoy diff jobs/demo.toml --train set/train                  # reference loops against oneDNN",
       "convoy diff runs/first --a onednn --b onednn --b-threads 2    # do the bits depend on threads?",
       "convoy diff jobs/demo.toml --b onednn --write old.diff        # with one build, then another:",
       "convoy diff jobs/demo.toml --b onednn --against old.diff"});
  command->footer(
      "Exit code: 0 equal or rounding, 1 not rounding. The bound is that of backends/check/compare.h.");
  auto flags = std::make_shared<Flags>();
  command->add_option("what", flags->what, "a job file, or a run's folder for its newest weights")
      ->required();
  command->add_option("--train", flags->train,
                      "packed set that the batch is from (default: the job's, else noise)");
  command->add_option("--weights", flags->weights, "a safetensors file instead of the job's initial weights");
  command->add_option("--set", flags->overrides, "section.key=value over the job's, may be repeated")
      ->allow_extra_args(false);
  command->add_option("--a", flags->a, "what is trusted")->capture_default_str();
  command->add_option("--b", flags->b, "what is held against it")->capture_default_str();
  command->add_option("--a-threads", flags->a_threads, "compute threads of A")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  command->add_option("--b-threads", flags->b_threads, "and of B")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  command->add_option("--images", flags->images, "in the batch")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  command->add_option("--k", flags->k, "factor of the bound on rounding; 0: every bit")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  auto* write =
      command->add_option("--write", flags->write, "write what B computes into this file, compare nothing");
  command->add_option("--against", flags->against, "such a file takes the place of A")->excludes(write);
  command->add_flag("--all", flags->all, "every tensor, not only the telling ones");
  command->add_flag("--json", flags->json, "one JSON object");
  command->callback([&context, flags] { context.chosen = [flags] { return diff(*flags); }; });
}

}  // namespace convoy::cli

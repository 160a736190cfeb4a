#include "cli/model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "data/source_labels.h"
#include "interop/description.h"
#include "interop/weights.h"
#include "train/checkpoints.h"
#include "train/network.h"
#include "train/run_directory.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

bool is_checkpoint(const fs::path& path) {
  if (path.extension() == ".h5") return true;  // whatever damage has made of it
  const File file(path, File::Mode::read);
  char start[4] = {};
  if (file.size() >= sizeof start) file.read_at(0, start, sizeof start);
  return std::string_view(start, sizeof start) == "\x89HDF";
}

// The run that a checkpoint lies in, or that is named itself; an empty root where there is none.
RunDirectory run_of(const ModelFlags& flags) {
  if (fs::is_directory(flags.source)) {
    const RunDirectory run{flags.source};
    require(fs::exists(run.config()), "{} holds no run: name the folder that `convoy train` named (runs/...)",
            flags.source);
    return run;
  }
  const RunDirectory run{fs::absolute(flags.source).parent_path().parent_path()};
  return fs::exists(run.config()) && is_checkpoint(flags.source) ? run : RunDirectory{};
}

std::vector<fs::path> files_of(const ModelFlags& flags, const RunDirectory& run) {
  if (!flags.checkpoint.empty()) return {flags.checkpoint};
  if (!fs::is_directory(flags.source)) return {flags.source};
  auto found = list_checkpoints(run.checkpoints());
  require(!found.empty(), "{} holds no checkpoint: is it the folder of a run that has saved one?",
          run.root.string());
  return found;
}

Experiment named_model(const ModelFlags& flags) {
  std::vector<std::string> keys{"network.model=" + flags.model, "train.steps=1"};
  keys.insert(keys.end(), flags.overrides.begin(), flags.overrides.end());
  return parse_experiment_text("", "--model " + flags.model, keys);
}

// As many classes as the run's training set had; 0 if it does not say.
int outputs_of(const RunDirectory& run) {
  if (run.root.empty() || !fs::exists(run.result())) return 0;
  const auto json = nlohmann::json::parse(read_text(run.result()), nullptr, false);
  const nlohmann::json::json_pointer where("/dataset/train/classes");
  return json.is_object() && json.contains(where) && json.at(where).is_number_integer() &&
                 std::in_range<int>(json.at(where).get<int64_t>())
             ? json.at(where).get<int>()
             : 0;
}

std::vector<ClassName> table_of(const std::string& path) {
  const ClassTable table = read_classes(path);
  std::vector<ClassName> names;
  for (size_t i = 0; i < table.wnids.size(); ++i) names.push_back({table.wnids[i], table.names[i]});
  return names;
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("--checkpoint", flags.checkpoint, "a checkpoint of the run (default: its newest)");
  command.add_option("--model", flags.model,
                     "what a file is that does not say: resnet50, alexnet-torchvision, ... (network.model)");
  command.add_option("--job", flags.job, "the same from a job file, or a run's config.resolved.toml")
      ->excludes("--model");
  command
      .add_option("--set", flags.overrides, "section.key=value over the job's or model's, may be repeated")
      ->allow_extra_args(false);
  command.add_option("--classes", flags.classes,
                     "class names: a table (wnid<tab>name a line) or a packed set's folder");
}

std::string Model::class_name(int index) const {
  const auto i = static_cast<size_t>(index);
  return i < classes.size() ? classes[i].name : fmt::format("class {}", index);
}

Model open_model(const ModelFlags& flags, int outputs) {
  require(fs::exists(flags.source), "there is no {}: name a run's folder, a checkpoint or a safetensors file",
          flags.source);
  Model model;
  model.source = flags.source;
  const RunDirectory run = run_of(flags);
  model.files = files_of(flags, run);
  std::optional<Safetensors> file;
  if (run.root.empty() && !is_checkpoint(flags.source)) {
    refuse_foreign(flags.source);
    file.emplace(flags.source);
  }
  std::optional<Experiment> experiment;
  if (!flags.model.empty())
    experiment = named_model(flags);
  else if (!flags.job.empty())
    experiment = parse_experiment(flags.job, flags.overrides);
  else if (!run.root.empty())
    experiment = parse_experiment(run.config(), flags.overrides);
  else if (file)
    experiment = experiment_in(file->metadata(), flags.source);
  require(
      experiment.has_value(), Exit::usage,
      "{} does not say what network it is: give --model (resnet50, alexnet-torchvision, ...) or --job FILE",
      flags.source);
  model.experiment = std::move(*experiment);
  if (!flags.classes.empty())
    model.classes = table_of(flags.classes);
  else if (!run.root.empty() && fs::exists(run.classes()))
    model.classes = read_class_names(run.classes());
  else if (file)
    model.classes = classes_in(file->metadata(), flags.source);
  const NetworkOptions& network = model.experiment.network;
  if (outputs == 0) outputs = network.classes;
  if (outputs == 0 && file) outputs = classes_in(*file, make_network(network, 2));
  if (outputs == 0) outputs = outputs_of(run);
  if (outputs == 0) outputs = static_cast<int>(model.classes.size());
  require(outputs > 0, Exit::usage,
          "{} does not say how many classes there are: give --set network.classes=N", flags.source);
  model.graph = make_network(network, outputs);
  return model;
}

LoadedWeights load_weights(const Model& model, Arena& arena) {
  LoadedWeights loaded;
  for (size_t i = 0; i < model.files.size(); ++i) {
    try {
      if (is_checkpoint(model.files[i])) {
        const Snapshot snapshot = read_checkpoint(model.files[i], model.graph, arena, false);
        loaded.steps = snapshot.step;
        loaded.hash = snapshot.hash;
        return loaded;
      }
      const Imported imported = import_weights(model.files[i], model.graph, arena);
      loaded.steps = steps_in(imported.metadata);
      if (const auto hash = imported.metadata.find("experiment_hash"); hash != imported.metadata.end())
        loaded.hash = hash->second;
      if (imported.rounded > 0)
        loaded.warnings.push_back(fmt::format("{}: {} of its F64 values are no f32 values and were rounded",
                                              model.files[i].string(), imported.rounded));
      return loaded;
    } catch (const BrokenCheckpoint& error) {
      if (i + 1 == model.files.size()) throw;
      loaded.warnings.push_back(fmt::format("{}; taking the one before it", error.what()));
    }
  }
  fail("{} holds no weights", model.source.string());
}

}  // namespace convoy::cli

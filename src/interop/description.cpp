#include "interop/description.h"

#include <fmt/ranges.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "train/experiment_fields.h"
#include "train/tool.h"

namespace convoy {
namespace {

// [network] and [data] of a job file, every key that is read filled in.
std::string job_text(Experiment experiment, int classes) {
  experiment.network.classes = classes;
  std::string text, section;
  visit_fields(experiment, [&](const Field& field) {
    if (field.section != "network" && field.section != "data") return;
    if (!field.unread.empty() || std::holds_alternative<std::filesystem::path*>(field.slot)) return;
    if (field.section != section) text += fmt::format("[{}]\n", section = field.section);
    text += fmt::format("{} = {}\n", field.key, toml_value(field.slot));
  });
  return text;
}

int outputs_of(const Graph& graph) {
  for (size_t n = graph.nodes.size(); n-- > 0;)
    if (std::holds_alternative<Linear>(graph.nodes[n].op)) return graph.nodes[n].shape.channels;
  return 0;
}

}  // namespace

TensorMetadata describe(const Described& what) {
  const InputOptions& data = what.experiment.data;
  TensorMetadata metadata{
      {"format", "pt"},  // torch's layouts and names: readers of the safetensors world ask for it
      {"convoy", tool_json().at("version").get<std::string>()},
      {"network", what.graph.name},
      {"job", job_text(what.experiment, outputs_of(what.graph))},
      {"steps", std::to_string(what.steps)},
      {"weights_xxh3", what.weights_xxh3},
      {"input", fmt::format("{} x {} pixels, {}: (value * {} - mean) / std", data.input, data.input,
                            data.order, data.scale)},
      {"mean", fmt::format("[{}]", fmt::join(data.mean, ", "))},
      {"std", fmt::format("[{}]", fmt::join(data.std, ", "))}};
  if (!what.hash.empty()) metadata["experiment_hash"] = what.hash;
  if (!what.classes.empty()) metadata["classes"] = class_names_json(what.classes);
  return metadata;
}

std::optional<Experiment> experiment_in(const TensorMetadata& metadata, const std::string& file) {
  const auto job = metadata.find("job");
  if (job == metadata.end()) return {};
  return parse_experiment_text(job->second, file + " (its metadata)", {"train.steps=1"});
}

std::vector<ClassName> classes_in(const TensorMetadata& metadata, const std::string& file) {
  const auto classes = metadata.find("classes");
  if (classes == metadata.end()) return {};
  return parse_class_names(classes->second, file + " (its metadata)");
}

int64_t steps_in(const TensorMetadata& metadata) {
  int64_t steps = 0;
  if (const auto found = metadata.find("steps"); found != metadata.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), steps);
  return steps;
}

}  // namespace convoy

#include "train/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <type_traits>
#include <utility>

#include "base/digest.h"
#include "base/text.h"
#include "train/experiment_fields.h"

namespace convoy {

bool Range::holds(double value) const {
  return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Range::text() const {
  const std::string from = fmt::format("{} {}", low_open ? "above" : "at least", low);
  const std::string to = fmt::format("{} {}", high_open ? "below" : "at most", high);
  const bool has_low = low != -std::numeric_limits<double>::infinity();
  const bool has_high = high != std::numeric_limits<double>::infinity();
  return has_low && has_high ? from + " and " + to : has_high ? to : from;
}

std::string toml_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string toml_value(const Slot& slot) {
  return std::visit(
      [](const auto* value) -> std::string {
        using T = std::remove_cvref_t<decltype(*value)>;
        if constexpr (std::is_same_v<T, std::string>) return toml_string(*value);
        if constexpr (std::is_same_v<T, std::filesystem::path>) return toml_string(value->string());
        if constexpr (std::is_same_v<T, std::vector<double>> || std::is_same_v<T, std::array<double, 3>>)
          return fmt::format("[{}]", fmt::join(*value, ", "));
        if constexpr (std::is_arithmetic_v<T>) return fmt::format("{}", *value);
      },
      slot);
}

int workers_together(const Experiment& experiment) {
  return std::max(1, experiment.network.bn_group / experiment.minibatch.images);
}

MinibatchOptions runs_of(const Experiment& experiment) {
  const int together = workers_together(experiment);
  return {experiment.minibatch.workers / together, experiment.minibatch.images * together};
}

std::string resolved_toml(const Experiment& experiment) {
  std::string text = fmt::format("name = {}\n", toml_string(experiment.name));
  if (!experiment.description.empty())
    text += fmt::format("description = {}\n", toml_string(experiment.description));
  if (!experiment.source.empty()) text += fmt::format("source = {}\n", toml_string(experiment.source));
  Experiment copy = experiment;
  std::string section;
  visit_fields(copy, [&](const Field& field) {
    if (!field.unread.empty()) return;
    const std::string value = toml_value(field.slot);
    if (std::holds_alternative<std::filesystem::path*>(field.slot) && value == "\"\"") return;
    if (field.section != section) text += fmt::format("\n[{}]\n", section = field.section);
    const auto origin = experiment.origins.find(field.name());
    text += fmt::format("{:<40}  # {}\n", fmt::format("{} = {}", field.key, value),
                        origin == experiment.origins.end() ? "default" : origin->second);
  });
  if (!experiment.published_toml.empty()) text += "\n" + experiment.published_toml + "\n";
  return text;
}

std::string arithmetic(const Experiment& experiment, const DatasetFacts& train,
                       const DatasetFacts& held_out) {
  std::string lines;
  Experiment copy = experiment;
  visit_fields(copy, [&](const Field& field) {
    if (field.unread.empty() && field.arithmetic && toml_value(field.slot) != field.absent)
      lines += fmt::format("{} = {}\n", field.name(), toml_value(field.slot));
  });
  const auto dataset = [](const DatasetFacts& facts) {
    return facts.samples == 0 ? "none" : fmt::format("{} images {}", facts.samples, facts.fingerprint);
  };
  lines += fmt::format("dataset.train = {}\ndataset.held_out = {}\n", dataset(train), dataset(held_out));
  return lines;
}

std::vector<std::string> arithmetic_differences(const std::string& there, const std::string& here) {
  struct Values {
    std::string there, here;
  };
  std::map<std::string, Values> values;
  Experiment any;
  visit_fields(any, [&](const Field& field) { values[field.name()] = {field.absent, field.absent}; });
  for (const auto& [text, side] : {std::pair{&there, &Values::there}, {&here, &Values::here}})
    for (const std::string& line : lines_of(*text))
      if (const size_t equals = line.find(" = "); equals != std::string::npos)
        values[line.substr(0, equals)].*side = line.substr(equals + 3);
  std::vector<std::string> differences;
  for (const auto& [key, value] : values) {
    if (value.there == value.here) continue;
    if (!value.there.empty()) differences.push_back(fmt::format("{} = {} there", key, value.there));
    if (!value.here.empty()) differences.push_back(fmt::format("{} = {} here", key, value.here));
  }
  return differences;
}

std::string hash(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out) {
  Digest digest;
  digest.add(arithmetic(experiment, train, held_out));
  return digest.hex();
}

}  // namespace convoy

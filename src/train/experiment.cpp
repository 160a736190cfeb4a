#include "train/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <type_traits>

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
  const auto key_of = [](const std::string& line) { return line.substr(0, line.find(" = ")); };
  const auto whole = [&](const std::string& text, const std::string& other) {
    std::vector<std::string> lines = lines_of(text);
    std::set<std::string> keys;
    for (const std::string& line : lines) keys.insert(key_of(line));
    Experiment any;
    visit_fields(any, [&](const Field& field) {
      const bool named = ('\n' + other).find(fmt::format("\n{} = ", field.name())) != std::string::npos;
      if (!field.absent.empty() && named && !keys.contains(field.name()))
        lines.push_back(fmt::format("{} = {}", field.name(), field.absent));
    });
    return lines;
  };
  const auto all_there = whole(there, here), all_here = whole(here, there);
  std::vector<std::string> differences;
  for (const std::string& line : all_there)
    if (std::ranges::find(all_here, line) == all_here.end()) differences.push_back(line + " there");
  for (const std::string& line : all_here)
    if (std::ranges::find(all_there, line) == all_there.end()) differences.push_back(line + " here");
  return differences;
}

std::string hash(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out) {
  Digest digest;
  digest.add(arithmetic(experiment, train, held_out));
  return digest.hex();
}

}  // namespace convoy

#include "train/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

constexpr std::string_view magic = "# convoy.predictions/1 ";

int loss_node(const Graph& graph) {
  for (size_t i = graph.nodes.size(); i-- > 0;)
    if (std::holds_alternative<SoftmaxLoss>(graph.nodes[i].op)) return static_cast<int>(i);
  fail("internal error: {} has no loss, and so no logits to predict from", graph.name);
}

Prediction of_logits(const float* logits, int64_t classes, int32_t label) {
  Prediction image{label, static_cast<int32_t>(std::max_element(logits, logits + classes) - logits), 0};
  for (int64_t j = 0; j < classes; ++j)
    image.rank += logits[j] > logits[label] || (logits[j] == logits[label] && j < label);
  return image;
}

std::string_view line_of(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string word(std::string_view line, std::string_view key) {
  const size_t found = line.find(fmt::format(" {}=", key));
  if (found == std::string_view::npos) return "";
  line.remove_prefix(found + key.size() + 2);
  return std::string(line.substr(0, line.find(' ')));
}

// "3,3,0" into three numbers, and nothing else.
bool numbers_of(std::string_view line, Prediction& image) {
  const char *at = line.data(), *end = at + line.size();
  for (int32_t* value : {&image.label, &image.predicted, &image.rank}) {
    const auto [next, error] = std::from_chars(at, end, *value);
    if (error != std::errc() || *value < 0) return false;
    at = next;
    if (value != &image.rank && (at == end || *at++ != ',')) return false;
  }
  return at == end;
}

}  // namespace

Totals evaluate(Plan& plan, const Program& program, Loader& held_out, Communicator& comm,
                std::vector<Prediction>& images) {
  const int logits = program.graph.nodes[static_cast<size_t>(loss_node(program.graph))].inputs.at(0);
  const int64_t classes = program.graph.nodes[static_cast<size_t>(logits)].shape.elements();
  std::vector<float> values(static_cast<size_t>(classes * program.images));
  std::vector<int64_t> shared(static_cast<size_t>(held_out.samples()) * 3, 0);  // summed: other ranks' are 0
  const auto look = [&](int64_t first, const Batch& batch) {
    require(plan.peek(Peek::value, logits, values),
            "the backend does not show the logits of {}: predict with another --backend", program.graph.name);
    for (size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.labels[i] < 0) continue;
      const Prediction image =
          of_logits(values.data() + static_cast<int64_t>(i) * classes, classes, batch.labels[i]);
      int64_t* to = shared.data() + (first + static_cast<int64_t>(i)) * 3;
      to[0] = image.label, to[1] = image.predicted, to[2] = image.rank;
    }
  };
  const Totals totals = evaluate(plan, held_out, program.images, comm, look);
  comm.sum(shared);
  images.clear();
  for (size_t i = 0; i < shared.size(); i += 3)
    images.push_back({static_cast<int32_t>(shared[i]), static_cast<int32_t>(shared[i + 1]),
                      static_cast<int32_t>(shared[i + 2])});
  return totals;
}

void write_predictions(const std::filesystem::path& path, const Predictions& predictions) {
  std::string text = fmt::format("{}held_out={} weights={} steps={}\nlabel,predicted,rank\n", magic,
                                 predictions.held_out, predictions.weights, predictions.steps);
  for (const Prediction& image : predictions.images)
    text += fmt::format("{},{},{}\n", image.label, image.predicted, image.rank);
  replace_file(path, text);
}

std::optional<Predictions> parse_predictions(std::string_view text) {
  if (!text.starts_with(magic) || !text.ends_with('\n')) return {};
  const std::string_view head = line_of(text);
  Predictions predictions{word(head, "held_out"), word(head, "weights"), 0, {}};
  const std::string steps = word(head, "steps");
  std::from_chars(steps.data(), steps.data() + steps.size(), predictions.steps);
  if (line_of(text) != "label,predicted,rank") return {};
  while (!text.empty())
    if (!numbers_of(line_of(text), predictions.images.emplace_back())) return {};
  return predictions;
}

}  // namespace convoy

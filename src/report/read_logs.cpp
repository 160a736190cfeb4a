// Logs of Python programs: torchvision's references/classification/train.py (its standard output) and ffcv-imagenet's
// `log` (JSON lines). Epochs count from 0 there, and accuracies are after the epoch named.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "report/read.h"

namespace convoy::report {
namespace {

std::string_view next_line(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

// The number after `key` and blanks.
std::optional<double> after(std::string_view line, std::string_view key) {
  const size_t found = line.find(key);
  if (found == std::string_view::npos) return {};
  line.remove_prefix(found + key.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || !(value > -1e15 && value < 1e15)) return {};
  return value;
}

std::string quoted_after(std::string_view line, std::string_view key) {
  const size_t found = line.find(key);
  if (found == std::string_view::npos) return "";
  line.remove_prefix(found + key.size());
  return printable(std::string(line.substr(0, std::min<size_t>(line.find('\''), 100))));
}

std::optional<double> percent(std::optional<double> value) {
  if (value) *value /= 100;
  return value;
}

struct Torchvision {
  Run run;
  double images = 0, world = 1;  // of a process and step
  std::vector<double> speeds{};
  Curve losses{"train_loss"}, top1{"held_out_top1"};
  double seen = 0, epoch = -1;  // steps, epochs
  std::optional<double> loss{}, last1{}, last5{}, best{};
};

void read_arguments(std::string_view line, Torchvision& to) {
  to.images = after(line, " batch_size=").value_or(after(line, "(batch_size=").value_or(0));
  to.world = after(line, "world_size=").value_or(1);
  const std::string model = quoted_after(line, "model='");
  if (!model.empty()) set(to.run.task, "network.model", fmt::format("\"{}\"", model));
  for (const auto& [theirs, ours] : {std::pair{" epochs=", "train.epochs"},
                                     {" lr=", "schedule.rate"},
                                     {" momentum=", "optimizer.momentum"},
                                     {" weight_decay=", "optimizer.weight_decay"},
                                     {" label_smoothing=", "network.label_smoothing"}})
    if (const auto value = after(line, theirs)) set(to.run.recipe, ours, fmt::format("{}", *value));
  if (to.images > 0 && to.world > 0 && to.images * to.world < 1e9)
    to.run.global_minibatch = static_cast<int64_t>(to.images * to.world);
}

void read_step(std::string_view line, Torchvision& to) {
  const auto epoch = after(line, "Epoch: [");
  const size_t second = line.find('[', line.find('[') + 1);
  if (!epoch || second == std::string_view::npos) return;
  const auto step = after(line.substr(second), "["), of = after(line.substr(second), "/");
  if (!step || !of || *of < 1) return;
  to.epoch = *epoch;
  to.seen = *epoch * *of + *step + 1;
  // "time" is a whole step's, as convoy's is; "img/s" leaves the wait for data out.
  const auto seconds = after(line, " time:"), speed = after(line, "img/s:");
  if (seconds && *seconds > 0 && to.run.global_minibatch && *step > 0)
    to.speeds.push_back(static_cast<double>(*to.run.global_minibatch) / *seconds);
  else if (speed && *step > 0 && !to.run.global_minibatch)
    to.speeds.push_back(*speed);
  if (const auto loss = after(line, " loss:")) {
    to.loss = loss;
    to.losses.points.push_back({to.seen * static_cast<double>(to.run.global_minibatch.value_or(1)), *loss});
  }
}

void read_test(std::string_view line, Torchvision& to) {
  const auto top1 = percent(after(line, "Acc@1"));
  if (!top1) return;
  to.last1 = top1;
  to.last5 = percent(after(line, "Acc@5"));
  to.best = std::max(to.best.value_or(*top1), *top1);
  to.top1.points.push_back({to.seen * static_cast<double>(to.run.global_minibatch.value_or(1)), *top1});
  to.run.evaluations.push_back(
      {.step = static_cast<int64_t>(to.run.evaluations.size()), .epoch = to.epoch + 1, .top1 = top1});
}

}  // namespace

Run read_torchvision(const std::filesystem::path& file, const std::string& text) {
  Torchvision to;
  to.run.path = file.string();
  to.run.name = file.filename().string();
  to.run.format = "torchvision";
  to.run.status = "running";
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = next_line(rest);
    if (line.starts_with("Namespace("))
      read_arguments(line, to);
    else if (line.starts_with("Epoch: ["))
      read_step(line, to);
    else if (line.find("EMA") == std::string_view::npos && line.find("Acc@1") != std::string_view::npos)
      read_test(line, to);
    else if (line.starts_with("Training time"))
      to.run.status = "completed";
  }
  require(!to.speeds.empty() || to.last1, Exit::diverged,
          "{} holds no whole step or test of torchvision's (cut off?)", to.run.path);
  Run& run = to.run;
  if (run.global_minibatch)
    set(run.other, "minibatch.global", std::to_string(*run.global_minibatch));
  else
    run.warnings.push_back(
        run.path + " does not say its minibatch: images/s is one process's, and images seen are steps");
  run.add_speed(std::move(to.speeds));
  run.add_share("held_out_top1", "held-out top-1, last", to.last1, {}, true);
  run.add_share("held_out_top1_best", "held-out top-1, best", to.best, {}, false);
  run.add_share("held_out_top5", "held-out top-5, last", to.last5, {}, false);
  run.add_number("train_loss", "training loss, last", to.loss, Better::less);
  run.curves.push_back(std::move(to.losses));
  run.curves.push_back(std::move(to.top1));
  return run;
}

Run read_ffcv(const std::filesystem::path& file, const std::string& text) {
  Run run{.path = file.string(), .name = file.parent_path().filename().string(), .format = "ffcv"};
  if (run.name.empty()) run.name = file.filename().string();
  std::error_code ignored;
  std::optional<double> epochs;
  if (const auto params = file.parent_path() / "params.json";
      std::filesystem::is_regular_file(params, ignored))
    if (const auto json = parse(read_file(params))) {
      const auto value = [&](const char* key) -> std::string {
        return json->is_object() && json->contains(key) ? report::text((*json)[key], "") : "";
      };
      set(run.task, "network.model", value("model.arch"));
      for (const auto& [theirs, ours] : {std::pair{"training.epochs", "train.epochs"},
                                         {"lr.lr", "schedule.rate"},
                                         {"training.momentum", "optimizer.momentum"},
                                         {"training.weight_decay", "optimizer.weight_decay"},
                                         {"training.label_smoothing", "network.label_smoothing"}})
        set(run.recipe, ours, value(theirs));
      if (json->is_object() && json->contains("training.epochs"))
        epochs = number((*json)["training.epochs"], "");
    }
  std::optional<double> last1, last5, best, loss, seconds;
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = parse(next_line(rest));
    if (!line) continue;
    const auto top1 = number(*line, "top_1"), epoch = number(*line, "epoch");
    if (!top1 || !epoch) continue;
    last1 = top1;
    last5 = number(*line, "top_5");
    best = std::max(best.value_or(*top1), *top1);
    if (const auto value = number(*line, "train_loss")) loss = value;
    seconds = number(*line, "relative_time");
    if (epochs) run.status = *epoch + 1 >= *epochs ? "completed" : "running";
    run.evaluations.push_back(
        {.step = static_cast<int64_t>(run.evaluations.size()), .epoch = *epoch + 1, .top1 = top1});
  }
  require(last1.has_value(), Exit::diverged, "{} holds no whole evaluation of FFCV's (cut off?)", run.path);
  run.add_share("held_out_top1", "held-out top-1, last", last1, {}, true);
  run.add_share("held_out_top1_best", "held-out top-1, best", best, {}, false);
  run.add_share("held_out_top5", "held-out top-5, last", last5, {}, false);
  run.add_number("train_loss", "training loss, last", loss, Better::less);
  run.add_number("run_s", "from the start, seconds", seconds, Better::less);
  return run;
}

}  // namespace convoy::report

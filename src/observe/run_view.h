// What a run's folder says of it at this moment, from result.json, metrics.jsonl, times.jsonl and .lock alone: another
// process writes them, perhaps on another node, perhaps long ago. Whatever is missing, torn or of an older version is
// null, and never ends the view.
#pragma once

#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "observe/line_tail.h"

namespace convoy {

struct RunState {
  std::string run, experiment;
  std::string status = "starting";  // then result.json's; "killed" if it says running and its process is gone
  std::string reason;
  std::optional<int> exit_code;
  int64_t steps_done = 0, steps_planned = 0, images_per_step = 0, samples = 0;
  int ranks = 0, hosts = 0;
  std::optional<double> loss, top1, rate, images_per_s, seconds_left;  // of the last steps
  std::optional<double> communication, data_wait;                      // shares of a step on rank 0
  nlohmann::ordered_json evaluation, times;  // the last lines: metrics.jsonl's, times.jsonl's; or null
  std::optional<double> quiet_seconds;       // since metrics.jsonl last grew
  double epochs() const {
    return samples > 0 ? static_cast<double>(steps_done) * static_cast<double>(images_per_step) /
                             static_cast<double>(samples)
                       : 0.0;
  }
  bool ended() const { return status != "running" && status != "starting"; }
};
nlohmann::ordered_json to_json(const RunState& state);

class RunView {
 public:
  explicit RunView(std::filesystem::path folder);  // Exit::usage if it is no run's folder
  const RunState& refresh();

 private:
  using Json = nlohmann::ordered_json;
  void read_result();
  void read_metrics();
  void look_for_life();
  void draw_conclusions();

  std::filesystem::path folder_;
  LineTail metrics_, times_;
  std::filesystem::file_time_type result_time_{};
  std::deque<Json> recent_;  // step lines
  RunState state_;
};

}  // namespace convoy

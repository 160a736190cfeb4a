// metrics.jsonl: one JSON object a line, {"event": "step" | "evaluation" | "checkpoint", "step": n, ...}, units in
// the names (_s, _per_s). Appended and flushed line by line: what is there survives a kill, and a torn last line is
// dropped on reading. Accuracies are integers (correct1, correct5, images) beside the fractions; the sum of the loss
// is exact, in units of 2^-24, and a mean that is not finite is null beside `nonfinite`, the images that made it so.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "train/record.h"

namespace convoy {

using Json = nlohmann::ordered_json;

class Metrics {
 public:
  // Keeps the lines of steps below `first_step` and appends after them.
  Metrics(const std::filesystem::path& path, int64_t first_step);
  void append(const Json& line);
  std::vector<Json> take_kept() { return std::move(kept_); }  // once

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::vector<Json> kept_;
};

Json to_json(const StepRecord& record, int64_t images);
Json to_json(const EvaluationRecord& record);
Carried carried(const std::vector<Json>& kept);  // over the steps after the last evaluation
std::vector<Json> read_metrics(const std::filesystem::path& path);

}  // namespace convoy

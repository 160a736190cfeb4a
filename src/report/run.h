// One run as it can be compared, whoever wrote its file: what was computed (task, recipe), where (launch), what came out
// (quantities with their raw samples, curves, digests). Filled by the readers (report/read.h), a value that owns everything.
// What a file does not say is absent, never 0. Units are in the quantities' names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/predictions.h"

namespace convoy::report {

enum class Better { more, less, neither };

struct Counts {
  int64_t correct = 0, images = 0;
};

struct Quantity {
  std::string name{};   // as `--fail-if` knows it: "images_per_s", "held_out_top1"; of a benchmark file, the benchmark's
  std::string title{};  // for people: "images/s, median step"
  Better better = Better::neither;
  bool share = false;    // a fraction of 1: differences are in percentage points, else relative
  bool decides = false;  // a change for the worse is a regression
  double value = 0;
  std::vector<double> samples{};   // raw, in order of time; `value` is their median. Empty: not kept
  std::optional<Counts> counts{};  // of a share
};

struct Point {
  double images = 0, value = 0;  // images seen by then
};
struct Curve {
  std::string name;  // "train_loss", "held_out_loss", "held_out_top1"
  std::vector<Point> points{};
};

struct Evaluation {
  int64_t step = 0;
  std::optional<double> epoch{}, top1{};
  std::string digest{};  // of the weights, "" if not recorded
};

// A step's exact sums, for runs whose bits are compared.
struct StepSums {
  int64_t step = 0, loss = 0, correct1 = 0;  // loss in 2^-24 nats
};

// Where a step's time goes, seconds: of each part the mean over the ranks of their medians.
struct StepParts {
  double data_wait = 0, compute = 0, communication_exposed = 0, optimizer = 0;
};

using Facts = std::vector<std::pair<std::string, std::string>>;  // ordered; values as JSON text
const std::string* find(const Facts& facts, const std::string& key);  // null: not known
void set(Facts& facts, const std::string& key, const std::string& value);  // unless empty, or there already

struct Run {
  std::string path{}, name{};
  std::string format{};  // "convoy", "simulation", "mlperf", "google-benchmark", "hyperfine", "torchvision", "ffcv"
  std::string status{};  // "completed", "diverged", ...; "" where the file does not say
  std::string hash{};    // of the experiment, "" for foreign files
  Facts task{};        // equal where both know them, or the runs are not comparable
  Facts recipe{};      // what the bits depend on, the task included
  Facts launch{};      // where it ran
  Facts other{};       // anything else to group by
  std::vector<Quantity> quantities{};
  std::vector<Curve> curves{};
  std::vector<Evaluation> evaluations{};
  std::vector<StepSums> steps{};
  std::optional<StepParts> step_parts{};
  std::string final_digest{};
  std::string held_out{};                    // fingerprint of the held-out set
  std::optional<int64_t> global_minibatch{};
  std::vector<Prediction> predictions{};     // of the final weights
  std::vector<std::string> warnings{};       // what was passed over while reading

  const std::string* fact(const std::string& key) const;  // in recipe, task, launch, other; null if not known
  const Quantity* quantity(const std::string& name) const;
  const Curve* curve(const std::string& name) const;  // null also where it has no points

  // The quantities that every kind of training run has, under their one name; nothing where nothing is known.
  void add_speed(std::vector<double> samples, std::optional<double> otherwise = {});  // images per second
  void add_share(const std::string& name, const std::string& title, std::optional<double> share,
                 std::optional<int64_t> images, bool decides);
  void add_number(const std::string& name, const std::string& title, std::optional<double> number, Better better);
};

}  // namespace convoy::report

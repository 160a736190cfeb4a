// curve.svg: training loss and held-out top-1 over epochs, one self-contained file that follows the viewer's
// light or dark scheme. Fed with the lines of metrics.jsonl as they come; keeps two numbers of each, of long runs an even
// sample.
#pragma once

#include <string>
#include <vector>

#include "base/thinned.h"
#include "train/metrics.h"
#include "train/plot.h"

namespace convoy {

class Curve {
 public:
  Curve(std::string title, int64_t images_per_epoch /*of the training set*/);
  void add(const Json& line);
  std::string svg() const;

 private:
  std::string title_;
  double images_per_epoch_;
  Thinned<PlotPoint> loss_;      // epochs and nats
  std::vector<PlotPoint> top1_;  // epochs and per cent
};

}  // namespace convoy

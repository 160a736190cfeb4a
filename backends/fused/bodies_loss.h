// Element bodies of the softmax cross-entropy with label smoothing, and of the counts: the definitions of
// backends/common/loss.h, in double, everything relative to the largest logit. An image's classes are divided over
// `lanes` strided lanes whose partial results are combined in one order, so that a device has enough to do at once.
#pragma once

#include <cmath>

#include "backends/fused/portable.h"

namespace convoy::fused {

struct LossShape {
  int images, classes, c;  // c: classes padded
  static constexpr int lanes = 32;
};

struct LossLane {  // of one image's lane: in the workspace
  double max, exponentials, differences;
  int64_t ahead;  // classes that rank before the label
};
struct LossImage {
  double max, log_sum;
  int64_t correct1, correct5, loss, nonfinite;  // as in Totals
};

template <class T>
struct LossMaxBody {
  const T* logits;
  LossLane* lanes;
  LossShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split at = split(i, LossShape::lanes);
    double max = -INFINITY;
    for (int j = at.last; j < s.classes; j += LossShape::lanes) {
      const double x = static_cast<double>(load(logits[at.rest * s.c + j]));
      if (x > max) max = x;
    }
    lanes[i].max = max;
  }
};

CONVOY_PORTABLE inline double largest_of(const LossLane* lanes) {
  double max = lanes[0].max;
  for (int lane = 1; lane < LossShape::lanes; ++lane)
    if (lanes[lane].max > max) max = lanes[lane].max;
  return max;
}

template <class T>
struct LossLaneBody {
  const T* logits;
  const int32_t* labels;
  LossLane* lanes;
  LossShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split at = split(i, LossShape::lanes);
    const T* x = logits + at.rest * s.c;
    const int label = labels[at.rest];
    const double max = largest_of(lanes + at.rest * LossShape::lanes);
    const float own = label < 0 ? 0.0f : load(x[label]);
    double exponentials = 0, differences = 0;
    int64_t ahead = 0;
    for (int j = at.last; j < s.classes; j += LossShape::lanes) {
      const float value = load(x[j]);
      const double difference = static_cast<double>(value) - max;
      exponentials += std::exp(difference);
      differences += difference;
      ahead += value > own || (value == own && j < label);
    }
    lanes[i].exponentials = exponentials;
    lanes[i].differences = differences;
    lanes[i].ahead = ahead;
  }
};

template <class T>
struct LossImageBody {
  const T* logits;
  const int32_t* labels;
  const LossLane* lanes;
  LossImage* images;
  float* losses;  // null in the backward pass
  double smoothing;
  LossShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const LossLane* lane = lanes + i * LossShape::lanes;
    LossImage out{largest_of(lane), 0, 0, 0, 0, 0};
    double exponentials = 0, differences = 0;
    int64_t ahead = 0;
    for (int l = 0; l < LossShape::lanes; ++l) {
      exponentials += lane[l].exponentials;
      differences += lane[l].differences;
      ahead += lane[l].ahead;
    }
    out.log_sum = std::log(exponentials);
    const int label = labels[i];
    double loss = 0;
    if (label >= 0) {
      loss = out.log_sum - (1.0 - smoothing) * (static_cast<double>(load(logits[i * s.c + label])) - out.max);
      if (smoothing > 0) loss -= smoothing * differences / s.classes;
      if (!(std::fabs(loss) <= 0x1p20)) {
        out.nonfinite = 1;
      } else {
        out.loss = static_cast<int64_t>(std::llround(loss * 0x1p24));
        out.correct1 = ahead < 1;
        out.correct5 = ahead < 5;
      }
    }
    images[i] = out;
    if (losses != nullptr) losses[i] = static_cast<float>(loss);
  }
};

struct LossTotalsBody {  // one element: integers, so the order is of no consequence
  const int32_t* labels;
  const LossImage* images;
  int64_t* totals;  // images, correct1, correct5, loss, nonfinite
  int count;
  CONVOY_PORTABLE void operator()(int64_t) const {
    for (int i = 0; i < count; ++i) {
      if (labels[i] < 0) continue;
      totals[0] += 1;
      totals[1] += images[i].correct1;
      totals[2] += images[i].correct5;
      totals[3] += images[i].loss;
      totals[4] += images[i].nonfinite;
    }
  }
};

template <class T>
struct LossGradientBody {
  const T* logits;
  const int32_t* labels;
  const LossImage* images;
  T* dlogits;
  double smoothing;
  const float* loss_scale;
  LossShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split at = split(i, s.c);
    const int label = labels[at.rest];
    if (at.last >= s.classes || label < 0) {
      store(dlogits[i], 0.0f);
      return;
    }
    const LossImage& image = images[at.rest];
    const double softmax = std::exp(static_cast<double>(load(logits[i])) - image.max - image.log_sum);
    const double target = smoothing / s.classes + (at.last == label ? 1.0 - smoothing : 0.0);
    store(dlogits[i],
          static_cast<float>((softmax - target) * (1.0 / s.images) * static_cast<double>(*loss_scale)));
  }
};

}  // namespace convoy::fused

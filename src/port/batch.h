// What goes into one run of a plan: one worker's minibatch, or those of a few consecutive workers behind one another
// where batch norm takes their statistics together (network.bn_group). Memory belongs to the loader and stays valid
// until the second next call of its next(). Images are f32 NCHW, already normalized, or for a plan that takes them
// pictures on which the device does that; a label of -1 marks padding, which counts nowhere.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include "base/random.h"
#include "port/picture.h"

namespace convoy {

struct Batch {
  std::span<const float> images{};      // [b, channels, height, width], or none where there are pictures
  std::span<const Picture> pictures{};  // [b], and `shades` for all of them
  Shades shades{};
  std::span<const int32_t> labels{};      // [b], -1 = padding
  std::span<const float> top_gradient{};  // only for graphs without a loss (parity tests): d / d output, NCHW
  uint64_t seed = 0;                      // seed, step and worker choose the dropout masks
  int64_t step = 0;
  int worker = 0;   // the first of `workers`
  int workers = 1;  // b = workers x a worker's images
  // A power of two by which the gradients inside the plan are larger; those that it hands out are not (16-bit types).
  float loss_scale = 1;
};

// Sums over images since the last Plan::totals(). Integers, so that sums over workers and ranks are exact in any order:
// a loss is rounded once, per image, to a multiple of 2^-24.
struct Totals {
  int64_t images = 0, correct1 = 0, correct5 = 0;  // images: all that have a label, those below included
  int64_t loss = 0;                                // in units of 2^-24 nats
  int64_t nonfinite = 0;  // images whose loss was NaN or infinite; left out of `loss`, counted as wrong
  static constexpr double unit = 0x1p-24;
  // NaN over no image, and where any image's loss was not finite: never a number that looks like a loss.
  double mean_loss() const {
    if (images == 0 || nonfinite > 0) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(loss) * unit / static_cast<double>(images);
  }
  Totals& operator+=(const Totals& other);
  bool operator==(const Totals&) const = default;
};

// Four elements' dropout words: element e of node's output (NCHW order over ONE worker's minibatch) is kept when word
// e%4 of block e/4 of dropout_random() is at least dropout_threshold(p). `batch` is that worker's: workers = 1.
inline Random dropout_random(const Batch& batch, int node) {
  return Random(batch.seed, stream_of("dropout", static_cast<uint64_t>(batch.step),
                                      static_cast<uint64_t>(batch.worker), static_cast<uint64_t>(node)));
}
inline uint32_t dropout_threshold(float p) { return static_cast<uint32_t>(static_cast<double>(p) * 0x1p32); }

// Completion of asynchronous work. The default one has already happened; GPU backends carry a handle.
struct Event {
  void* handle = nullptr;
};

using BucketId = int;
// Called by Plan::train when a bucket's gradients are complete: ascending ids, every bucket exactly once per run, on
// every backend. The callee must have read (or taken over) the bucket when it returns, except where the Reducer says so.
using ReadyFn = std::function<void(BucketId, Event)>;

}  // namespace convoy

#include "backends/common/loss.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace convoy {
namespace {

constexpr double largest_loss = 0x1p20;

int64_t classes_of(size_t logits, std::span<const int32_t> labels) {
  ensure(!labels.empty() && logits % labels.size() == 0);
  const auto classes = static_cast<int64_t>(logits / labels.size());
  for (int32_t label : labels)
    require(label >= -1 && label < classes,
            "a label of {} does not fit the network's {} classes: train and evaluate on the image set it was "
            "built for",
            label, classes);
  return classes;
}

// log sum exp(x - max) and max.
template <class T>
struct LogSum {
  double max, log_sum;
  LogSum(const T* x, int64_t classes) : max(*std::max_element(x, x + classes)), log_sum(0) {
    double sum = 0;
    for (int64_t j = 0; j < classes; ++j) sum += std::exp(static_cast<double>(x[j]) - max);
    log_sum = std::log(sum);
  }
};

template <class T>
int64_t rank_of(const T* x, int64_t classes, int64_t label) {
  int64_t rank = 0;
  for (int64_t j = 0; j < classes; ++j) rank += x[j] > x[label] || (x[j] == x[label] && j < label);
  return rank;
}

}  // namespace

template <class T>
void softmax_loss(std::span<const T> logits, std::span<const int32_t> labels, float smoothing,
                  std::span<T> losses, Totals& totals) {
  const int64_t classes = classes_of(logits.size(), labels);
  ensure(losses.size() == labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    losses[i] = T{0};
    if (labels[i] < 0) continue;
    const T* x = logits.data() + static_cast<int64_t>(i) * classes;
    const LogSum<T> sum(x, classes);
    // Everything relative to the maximum: no cancellation between large logits.
    double loss =
        sum.log_sum - (1.0 - static_cast<double>(smoothing)) * (static_cast<double>(x[labels[i]]) - sum.max);
    if (smoothing > 0) {
      double mean = 0;
      for (int64_t j = 0; j < classes; ++j) mean += static_cast<double>(x[j]) - sum.max;
      loss -= static_cast<double>(smoothing) * mean / static_cast<double>(classes);
    }
    losses[i] = static_cast<T>(loss);
    ++totals.images;
    if (!(std::abs(loss) <= largest_loss)) {
      ++totals.nonfinite;
      continue;
    }
    totals.loss += std::llround(loss / Totals::unit);
    const int64_t rank = rank_of(x, classes, labels[i]);
    totals.correct1 += rank < 1;
    totals.correct5 += rank < 5;
  }
}

template <class T>
void softmax_loss_gradient(std::span<const T> logits, std::span<const int32_t> labels, float smoothing,
                           std::span<T> gradient) {
  const int64_t classes = classes_of(logits.size(), labels);
  ensure(gradient.size() == logits.size());
  const double share = 1.0 / static_cast<double>(labels.size());
  const double even = static_cast<double>(smoothing) / static_cast<double>(classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    const T* x = logits.data() + static_cast<int64_t>(i) * classes;
    T* to = gradient.data() + static_cast<int64_t>(i) * classes;
    if (labels[i] < 0) {
      std::fill(to, to + classes, T{0});
      continue;
    }
    const LogSum<T> sum(x, classes);
    for (int64_t j = 0; j < classes; ++j) {
      const double target = even + (j == labels[i] ? 1.0 - static_cast<double>(smoothing) : 0.0);
      const double softmax = std::exp(static_cast<double>(x[j]) - sum.max - sum.log_sum);
      to[j] = static_cast<T>((softmax - target) * share);
    }
  }
}

template void softmax_loss<float>(std::span<const float>, std::span<const int32_t>, float, std::span<float>,
                                  Totals&);
template void softmax_loss<double>(std::span<const double>, std::span<const int32_t>, float,
                                   std::span<double>, Totals&);
template void softmax_loss_gradient<float>(std::span<const float>, std::span<const int32_t>, float,
                                           std::span<float>);
template void softmax_loss_gradient<double>(std::span<const double>, std::span<const int32_t>, float,
                                            std::span<double>);

}  // namespace convoy

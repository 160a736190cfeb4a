#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace convoy {
namespace {

template <class T>
struct Tensor {
  Role role{};
  std::span<T> w{}, v{}, m{};  // m: empty unless the optimizer has a second state
  std::span<const T> g{};
  T scale{};
};

bool allowed(Role role, bool bias, bool norm) {
  return role == Role::bias ? bias : role == Role::norm_scale || role == Role::norm_shift ? norm : true;
}

template <class O>
double decay_of(const O& o, Role role) {
  return allowed(role, o.decay_bias, o.decay_norm) ? o.weight_decay : 0.0;
}

// Goyal et al., sec. 3: with the rate inside, the velocity must be rescaled when the rate changes. The velocity is still
// zero where the previous rate was.
double corrected(double momentum, const StepRates& rates) {
  return rates.previous_rate > 0.0 ? momentum * (rates.rate / rates.previous_rate) : momentum;
}

double momentum_of(const Sgd& o, const StepRates& rates) {
  const bool corrects = o.momentum_correction && o.convention == Convention::inside;
  return corrects ? corrected(o.momentum, rates) : o.momentum;
}

double momentum_of(const RmspropWarmup& o, const StepRates&) { return o.momentum; }

double momentum_of(const Lars& o, const StepRates& rates) {
  using enum Lars::Correction;
  const bool corrects = o.correction == always || (o.correction == warmup && rates.warmup);
  return corrects && o.step == Lars::Step::inside ? corrected(o.momentum, rates) : o.momentum;
}

struct Factors {
  double into_velocity, into_weights, decay;
};

// Of tensors whose norms, and then steps, are one call each. On the stack: no step allocates.
constexpr size_t together = 64;
struct Norms {
  double weight = 0, gradient = 0;
};
using AllNorms = std::array<Norms, together>;

template <class T>
AllNorms norms_of(const Sgd&, VectorOf<T>&, std::span<const Tensor<T>>) {
  return {};  // it asks for none
}

// 0 where a tensor does not adapt.
template <class T>
AllNorms norms_of(const Lars& o, VectorOf<T>& vector, std::span<const Tensor<T>> tensors) {
  std::array<NormTaskOf<T>, 2 * together> tasks;
  std::array<double, 2 * together> squares;
  size_t count = 0;
  const auto adapts = [&o](const Tensor<T>& tensor) {
    return allowed(tensor.role, o.adapt_bias, o.adapt_norm);
  };
  for (const Tensor<T>& tensor : tensors) {
    if (!adapts(tensor)) continue;
    tasks[count++] = {tensor.w};
    tasks[count++] = {tensor.g};
    if (o.norm_after_decay)
      tasks[count - 1] = {tensor.g, tensor.w, tensor.scale, static_cast<T>(decay_of(o, tensor.role))};
  }
  vector.squared_norms(std::span(tasks).first(count), std::span(squares).first(count));
  AllNorms norms{};
  const double* next = squares.data();
  for (size_t t = 0; t < tensors.size(); ++t)
    if (adapts(tensors[t])) {
      norms[t].weight = std::sqrt(*next++);
      norms[t].gradient =
          std::sqrt(*next++) * (o.norm_after_decay ? 1.0 : static_cast<double>(tensors[t].scale));
    }
  return norms;
}

template <class T>
Factors factors_of(const Sgd& o, const Tensor<T>& tensor, const Norms&, double rate) {
  const double decay = decay_of(o, tensor.role);
  return o.convention == Convention::inside ? Factors{rate, 1.0, decay} : Factors{1.0, rate, decay};
}

template <class T>
Factors factors_of(const Lars& o, const Tensor<T>& tensor, const Norms& norms, double rate) {
  const double decay = decay_of(o, tensor.role);
  const bool inside = o.step == Lars::Step::inside;
  const Factors plain = inside ? Factors{rate, 1.0, decay} : Factors{1.0, rate, decay};
  if (!allowed(tensor.role, o.adapt_bias, o.adapt_norm)) return plain;
  const auto [weight, gradient] = norms;
  const bool still = weight == 0.0 || gradient == 0.0;
  if (still && o.step == Lars::Step::gradient) return {1.0, rate, 0.0};  // apex passes it by
  const double in_ratio = o.ratio_decay == Lars::RatioDecay::none     ? 0.0
                          : o.ratio_decay == Lars::RatioDecay::global ? o.weight_decay
                                                                      : decay;
  const double ratio = still ? 1.0 : o.trust * weight / (gradient + in_ratio * weight + o.epsilon);
  if (o.step == Lars::Step::gradient)
    return {!o.clips ? ratio : rate > 0.0 ? std::min(ratio / rate, 1.0) : 1.0, rate, decay};
  const double local = o.clips ? std::min(rate, ratio) : rate * ratio;
  return inside ? Factors{local, 1.0, decay} : Factors{1.0, local, decay};
}

template <class O, class T>
void step_of(const O& o, VectorOf<T>& vector, std::span<const Tensor<T>> tensors, const StepRates& rates) {
  const AllNorms norms = norms_of(o, vector, tensors);
  std::array<MomentumTaskOf<T>, together> tasks;
  for (size_t t = 0; t < tensors.size(); ++t) {
    const Tensor<T>& tensor = tensors[t];
    const Factors factors = factors_of(o, tensor, norms[t], rates.rate);
    tasks[t] = {tensor.w,
                tensor.v,
                tensor.g,
                {.grad_scale = tensor.scale,
                 .decay = static_cast<T>(factors.decay),
                 .momentum = static_cast<T>(momentum_of(o, rates)),
                 .into_velocity = static_cast<T>(factors.into_velocity),
                 .into_weights = static_cast<T>(factors.into_weights),
                 .lookahead = static_cast<T>(o.nesterov ? o.momentum : 0.0)}};
  }
  vector.momentum_steps(std::span(tasks).first(tensors.size()));
}

template <class T>
void step_of(const RmspropWarmup& o, VectorOf<T>& vector, std::span<const Tensor<T>> tensors,
             const StepRates& rates) {
  ensure(rates.rate > 0.0);
  const double alpha = alpha_sgd(o, rates.epoch);
  std::array<RmspropTaskOf<T>, together> tasks;
  for (size_t t = 0; t < tensors.size(); ++t) {
    const Tensor<T>& tensor = tensors[t];
    tasks[t] = {tensor.w,
                tensor.v,
                tensor.m,
                tensor.g,
                {.grad_scale = tensor.scale,
                 .decay = static_cast<T>(decay_of(o, tensor.role)),
                 .momentum = static_cast<T>(o.momentum),
                 .mu2 = static_cast<T>(o.mu2),
                 .alpha_sgd = static_cast<T>(alpha),
                 .alpha_rmsprop = static_cast<T>((1.0 - alpha) * o.eta_rmsprop / rates.rate),
                 .epsilon = static_cast<T>(o.epsilon),
                 .rate = static_cast<T>(rates.rate)}};
  }
  vector.rmsprop_steps(std::span(tasks).first(tensors.size()));
}

// Tasks that are handed on when there are enough of them.
template <class Task, class HandOn>
class Gathered {
 public:
  explicit Gathered(HandOn hand_on) : hand_on_(std::move(hand_on)) {}
  void add(const Task& task) {
    tasks_[count_++] = task;
    if (count_ == together) flush();
  }
  void flush() {
    if (count_ > 0) hand_on_(std::span<const Task>(tasks_.data(), count_));
    count_ = 0;
  }

 private:
  HandOn hand_on_;
  std::array<Task, together> tasks_{};
  size_t count_ = 0;
};
template <class Task, class HandOn>
Gathered<Task, HandOn> gathered(HandOn hand_on) {
  return Gathered<Task, HandOn>(std::move(hand_on));
}

}  // namespace

template <class T>
void update(const Optimizer& optimizer, VectorOf<T>& vector, const Graph& graph, ArenaOf<T>& arena,
            const StepRates& rates, T scale) {
  const int states = optimizer_states(optimizer);
  ensure(arena.states() >= states);
  auto steps = gathered<Tensor<T>>([&](std::span<const Tensor<T>> tensors) {
    std::visit([&](const auto& o) { step_of(o, vector, tensors, rates); }, optimizer);
  });
  auto averages = gathered<AverageTaskOf<T>>(
      [&](std::span<const AverageTaskOf<T>> tasks) { vector.running_averages(tasks); });
  for (const Segment& segment : arena.layout().segments) {
    if (segment.kind == Segment::Kind::statistic) {
      const Statistic& statistic = graph.stats[static_cast<size_t>(segment.index)];
      averages.add({arena.stat(segment.index), arena.stat_grad(segment.index), static_cast<T>(statistic.keep),
                    statistic.first_worker ? T{1} : scale});
      continue;
    }
    const std::span<T> w = arena.param(segment.index);
    const auto state = [&](int i) {
      return arena.state(i).subspan(static_cast<size_t>(segment.offset), w.size());
    };
    steps.add({graph.params[static_cast<size_t>(segment.index)].role, w, state(0),
               states > 1 ? state(1) : std::span<T>{}, arena.param_grad(segment.index), scale});
  }
  steps.flush();
  averages.flush();
  arena.weights_changed();
}

template void update(const Optimizer&, VectorOf<float>&, const Graph&, ArenaOf<float>&, const StepRates&,
                     float);
template void update(const Optimizer&, VectorOf<double>&, const Graph&, ArenaOf<double>&, const StepRates&,
                     double);

double alpha_sgd(const RmspropWarmup& o, double epoch) {
  const double x = ((o.by_epoch ? std::floor(epoch) : epoch) - o.beta_center) / o.beta_period;
  if (x < 0.0) return 0.5 * std::exp(2.0 * x);
  return x < 0.5 ? 0.5 + (o.literal ? 2.0 * x : x) : 1.0;
}

double momentum_at(const Optimizer& optimizer, const StepRates& rates) {
  return std::visit([&](const auto& o) { return momentum_of(o, rates); }, optimizer);
}

int optimizer_states(const Optimizer& optimizer) {
  return std::holds_alternative<RmspropWarmup>(optimizer) ? 2 : 1;
}

}  // namespace convoy

#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace convoy {
namespace {

template <class T>
struct Tensor {
  Role role;
  std::span<T> w, v, m;  // m: empty unless the optimizer has a second state
  std::span<const T> g;
  T scale;
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

template <class T>
Factors factors_of(const Sgd& o, VectorOf<T>&, const Tensor<T>& tensor, double rate) {
  const double decay = decay_of(o, tensor.role);
  return o.convention == Convention::inside ? Factors{rate, 1.0, decay} : Factors{1.0, rate, decay};
}

template <class T>
Factors factors_of(const Lars& o, VectorOf<T>& vector, const Tensor<T>& tensor, double rate) {
  const double decay = decay_of(o, tensor.role);
  const bool inside = o.step == Lars::Step::inside;
  const Factors plain = inside ? Factors{rate, 1.0, decay} : Factors{1.0, rate, decay};
  if (!allowed(tensor.role, o.adapt_bias, o.adapt_norm)) return plain;
  const double weight = std::sqrt(vector.squared_norm(tensor.w));
  const double gradient =
      o.norm_after_decay
          ? std::sqrt(vector.decayed_squared_norm(tensor.g, tensor.w, tensor.scale, static_cast<T>(decay)))
          : std::sqrt(vector.squared_norm(tensor.g)) * static_cast<double>(tensor.scale);
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
void step_of(const O& o, VectorOf<T>& vector, const Tensor<T>& tensor, const StepRates& rates) {
  const Factors factors = factors_of(o, vector, tensor, rates.rate);
  vector.momentum_step(tensor.w, tensor.v, tensor.g,
                       {.grad_scale = tensor.scale,
                        .decay = static_cast<T>(factors.decay),
                        .momentum = static_cast<T>(momentum_of(o, rates)),
                        .into_velocity = static_cast<T>(factors.into_velocity),
                        .into_weights = static_cast<T>(factors.into_weights),
                        .lookahead = static_cast<T>(o.nesterov ? o.momentum : 0.0)});
}

template <class T>
void step_of(const RmspropWarmup& o, VectorOf<T>& vector, const Tensor<T>& tensor, const StepRates& rates) {
  ensure(rates.rate > 0.0);
  const double alpha = alpha_sgd(o, rates.epoch);
  vector.rmsprop_step(tensor.w, tensor.v, tensor.m, tensor.g,
                      {.grad_scale = tensor.scale,
                       .decay = static_cast<T>(decay_of(o, tensor.role)),
                       .momentum = static_cast<T>(o.momentum),
                       .mu2 = static_cast<T>(o.mu2),
                       .alpha_sgd = static_cast<T>(alpha),
                       .alpha_rmsprop = static_cast<T>((1.0 - alpha) * o.eta_rmsprop / rates.rate),
                       .epsilon = static_cast<T>(o.epsilon),
                       .rate = static_cast<T>(rates.rate)});
}

}  // namespace

template <class T>
void update(const Optimizer& optimizer, VectorOf<T>& vector, const Graph& graph, ArenaOf<T>& arena,
            const StepRates& rates, T scale) {
  const int states = optimizer_states(optimizer);
  ensure(arena.states() >= states);
  for (const Segment& segment : arena.layout().segments) {
    if (segment.kind == Segment::Kind::statistic) {
      const Statistic& statistic = graph.stats[static_cast<size_t>(segment.index)];
      vector.running_average(arena.stat(segment.index), arena.stat_grad(segment.index),
                             static_cast<T>(statistic.keep), statistic.first_worker ? T{1} : scale);
      continue;
    }
    const std::span<T> w = arena.param(segment.index);
    const auto state = [&](int i) {
      return arena.state(i).subspan(static_cast<size_t>(segment.offset), w.size());
    };
    const Tensor<T> tensor{graph.params[static_cast<size_t>(segment.index)].role,
                           w,
                           state(0),
                           states > 1 ? state(1) : std::span<T>{},
                           arena.param_grad(segment.index),
                           scale};
    std::visit([&](const auto& o) { step_of(o, vector, tensor, rates); }, optimizer);
  }
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

#include "train/optimizer.h"

#include <cmath>

#include "base/error.h"

namespace convoy {
namespace {

using Convention = MomentumStep::Convention;

bool allowed(Role role, bool bias, bool norm) {
  return role == Role::bias ? bias : role == Role::norm_scale || role == Role::norm_shift ? norm : true;
}

// Goyal et al., sec. 3: with the rate inside, the velocity must be rescaled when the rate changes. The velocity is still
// zero where the previous rate was.
template <class O>
double momentum_of(const O& o, double rate, double previous_rate) {
  const bool corrects = o.momentum_correction && o.convention == Convention::inside && previous_rate > 0.0;
  return corrects ? o.momentum * (rate / previous_rate) : o.momentum;
}

double trust_ratio(const Sgd&, const Param&, Vector&, std::span<const float>, std::span<const float>, float) {
  return 1.0;
}

double trust_ratio(const Lars& o, const Param& param, Vector& vector, std::span<const float> w,
                   std::span<const float> g, float scale) {
  if (!allowed(param.role, o.adapt_bias, o.adapt_norm)) return 1.0;
  const bool decays = o.full_decay_in_ratio || allowed(param.role, o.decay_bias, o.decay_norm);
  const double weight = std::sqrt(vector.squared_norm(w));
  const double gradient = std::sqrt(vector.squared_norm(g)) * static_cast<double>(scale);
  if (weight == 0.0 || gradient == 0.0) return 1.0;
  return o.trust * weight / (gradient + (decays ? o.weight_decay : 0.0) * weight + o.epsilon);
}

template <class O>
void update_with(const O& o, Vector& vector, const Graph& graph, Arena& arena, double rate,
                 double previous_rate, float scale) {
  for (const Segment& segment : arena.layout().segments) {
    if (segment.kind == Segment::Kind::statistic) {
      const Statistic& statistic = graph.stats[static_cast<size_t>(segment.index)];
      vector.running_average(arena.stat(segment.index), arena.stat_grad(segment.index), statistic.keep,
                             statistic.first_worker ? 1.0f : scale);
      continue;
    }
    const Param& param = graph.params[static_cast<size_t>(segment.index)];
    const std::span<float> w = arena.param(segment.index), g = arena.param_grad(segment.index);
    const std::span<float> v = arena.state(0).subspan(static_cast<size_t>(segment.offset), w.size());
    MomentumStep step;
    step.convention = o.convention;
    step.nesterov = o.nesterov;
    step.grad_scale = scale;
    step.decay = allowed(param.role, o.decay_bias, o.decay_norm) ? static_cast<float>(o.weight_decay) : 0.0f;
    step.momentum = static_cast<float>(momentum_of(o, rate, previous_rate));
    step.rate = static_cast<float>(rate * trust_ratio(o, param, vector, w, g, scale));
    vector.momentum_step(w, v, g, step);
  }
  arena.weights_changed();
}

}  // namespace

void set_variant_defaults(OptimizerOptions& o) {
  if (o.kind == "sgd") {
    o.decay_bias = true;
    o.decay_norm = false;
    o.momentum_correction = o.convention == "inside";
    return;
  }
  const bool whole = o.variant == "paper" || o.variant == "caffe";
  o.decay_norm = o.adapt_bias = o.adapt_norm = whole;
  o.decay_bias = whole || o.variant == "nvidia";
  o.momentum_correction = o.variant == "nvidia";
}

Optimizer make_optimizer(const OptimizerOptions& o) {
  if (o.kind == "sgd") {
    return Sgd{.convention = o.convention == "inside" ? Convention::inside : Convention::outside,
               .momentum = o.momentum,
               .weight_decay = o.weight_decay,
               .nesterov = o.nesterov,
               .momentum_correction = o.momentum_correction,
               .decay_bias = o.decay_bias,
               .decay_norm = o.decay_norm};
  }
  require(o.kind == "lars", Exit::usage, "optimizer.kind = \"{}\" is not known; known: sgd, lars", o.kind);
  return Lars{.convention = o.variant == "mlperf-scaled" ? Convention::outside : Convention::inside,
              .momentum = o.momentum,
              .weight_decay = o.weight_decay,
              .trust = o.trust,
              .epsilon = o.epsilon,
              .nesterov = o.nesterov,
              .momentum_correction = o.momentum_correction,
              .decay_bias = o.decay_bias,
              .decay_norm = o.decay_norm,
              .adapt_bias = o.adapt_bias,
              .adapt_norm = o.adapt_norm,
              .full_decay_in_ratio = o.variant == "caffe"};
}

void update(const Optimizer& optimizer, Vector& vector, const Graph& graph, Arena& arena, double rate,
            double previous_rate, float scale) {
  std::visit([&](const auto& o) { update_with(o, vector, graph, arena, rate, previous_rate, scale); },
             optimizer);
}

}  // namespace convoy

// From the keys of a job to an optimizer: the table of train/optimizer.h as data.
#include <array>

#include "base/error.h"
#include "train/optimizer.h"

namespace convoy {
namespace {

struct Variant {
  const char* name;
  Lars::Step step;
  Lars::RatioDecay ratio_decay;
  Lars::Correction correction;
  bool clips, norm_after_decay;
  bool whole;       // biases and batch norms adapt and decay like weights
  bool decay_bias;  // where not whole
};

using S = Lars::Step;
using D = Lars::RatioDecay;
using C = Lars::Correction;
constexpr std::array variants{
    Variant{"paper", S::inside, D::own, C::never, false, false, true, true},
    Variant{"caffe", S::inside, D::global, C::never, false, false, true, true},
    Variant{"intel-caffe", S::inside, D::global, C::warmup, false, true, true, true},
    Variant{"nvcaffe-larc-scale", S::inside, D::none, C::never, false, false, true, true},
    Variant{"nvcaffe-larc-clip", S::inside, D::none, C::never, true, false, true, true},
    Variant{"mlperf", S::inside, D::own, C::never, false, false, false, false},
    Variant{"mlperf-scaled", S::outside, D::own, C::never, false, true, false, false},
    Variant{"nvidia", S::inside, D::own, C::always, false, false, false, true},
    Variant{"larc-scale", S::gradient, D::own, C::never, false, false, true, true},
    Variant{"larc-clip", S::gradient, D::own, C::never, true, false, true, true},
};

const Variant& variant_of(const OptimizerOptions& o) {
  for (const Variant& variant : variants)
    if (o.variant == variant.name) return variant;
  fail(Exit::usage, "optimizer.variant = \"{}\" is not known", o.variant);
}

}  // namespace

std::vector<std::string> lars_variants() {
  std::vector<std::string> names;
  for (const Variant& variant : variants) names.emplace_back(variant.name);
  return names;
}

bool rate_is_inside(const OptimizerOptions& o) {
  if (o.kind == "lars") return variant_of(o).step == S::inside;
  return o.kind == "sgd" && o.convention == "inside";
}

bool rate_is_bound(const OptimizerOptions& o) { return o.kind == "lars" && variant_of(o).clips; }

void set_variant_defaults(OptimizerOptions& o) {
  if (o.kind != "lars") {
    o.decay_bias = true;
    o.decay_norm = false;
    o.momentum_correction = rate_is_inside(o);
    o.epsilon = 1e-8;  // of the RMSprop warm-up
    return;
  }
  const Variant& variant = variant_of(o);
  o.decay_norm = o.adapt_bias = o.adapt_norm = variant.whole;
  o.decay_bias = variant.decay_bias;
  o.momentum_correction = variant.correction != C::never;
  if (variant.step == S::gradient) {
    o.trust = 0.02;
    o.epsilon = 1e-8;
  }
}

Optimizer make_optimizer(const OptimizerOptions& o) {
  if (o.kind == "sgd")
    return Sgd{.convention = rate_is_inside(o) ? Convention::inside : Convention::outside,
               .momentum = o.momentum,
               .weight_decay = o.weight_decay,
               .nesterov = o.nesterov,
               .momentum_correction = o.momentum_correction,
               .decay_bias = o.decay_bias,
               .decay_norm = o.decay_norm};
  if (o.kind == "rmsprop-warmup")
    return RmspropWarmup{.momentum = o.momentum,
                         .weight_decay = o.weight_decay,
                         .mu2 = o.mu2,
                         .epsilon = o.epsilon,
                         .eta_rmsprop = o.eta_rmsprop,
                         .beta_center = o.beta_center,
                         .beta_period = o.beta_period,
                         .literal = o.transition == "literal",
                         .by_epoch = o.alpha_per == "epoch",
                         .decay_bias = o.decay_bias,
                         .decay_norm = o.decay_norm};
  require(o.kind == "lars", Exit::usage,
          "optimizer.kind = \"{}\" is not known; known: sgd, lars, rmsprop-warmup", o.kind);
  const Variant& variant = variant_of(o);
  // The key says whether; the variant, when.
  const C correction = !o.momentum_correction           ? C::never
                       : variant.correction == C::never ? C::always
                                                        : variant.correction;
  return Lars{.step = variant.step,
              .ratio_decay = variant.ratio_decay,
              .correction = correction,
              .clips = variant.clips,
              .norm_after_decay = variant.norm_after_decay,
              .momentum = o.momentum,
              .weight_decay = o.weight_decay,
              .trust = o.trust,
              .epsilon = o.epsilon,
              .nesterov = o.nesterov,
              .decay_bias = o.decay_bias,
              .decay_norm = o.decay_norm,
              .adapt_bias = o.adapt_bias,
              .adapt_norm = o.adapt_norm};
}

}  // namespace convoy

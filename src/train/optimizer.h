// Optimizers: one pass over the arena's segments a step, element-wise work done by the backend's Vector. The gradient
// in the arena is the sum over all W workers of the gradient of each worker's mean loss; scale = 1/W makes it the mean.
// Running statistics: r = keep r + (1-keep) (sum of the workers' minibatch statistics)/W, or what
// train/statistics.h says.
// The same code runs in double (ArenaOf<double>, VectorOf<double>) under the golden and replay tests.
//
// clang-format off
// g: the mean gradient; n(x): the L2 norm; a: the rate, a': the previous step's; m: momentum; D: the job's decay;
// d: the tensor's decay (D, or 0 where excluded); t: trust; e: epsilon. v starts at 0.
//   Sgd outside (PyTorch; Goyal et al., eq. 9)  v = m v + (g + d w);           w -= a v
//   Sgd inside (Caffe; eq. 10)                  v = m (a/a') v + a (g + d w);  w -= v       a/a' with momentum_correction only
//   Nesterov: the weights' step takes (the term just added to v) + m v in the place of v; this m without a/a'
//   RmspropWarmup (Akiba et al. 2017; rate outside, decay as in SGD; the weights' step is theirs, v = -Delta)
//     h = g + d w;  s = mu2 s + (1-mu2) h^2;  v = m v + (alpha_sgd + alpha_rmsprop/(sqrt(s)+e)) h;  w -= a v
//     alpha_rmsprop = (1 - alpha_sgd) eta_rmsprop / a;  alpha_sgd: the function below
//   Lars: a ratio r for every tensor that adapts, 1 where a norm is zero (larc-* leave out such a tensor's decay, too):
//     in    v = m v + a r (g + d w);       w -= v      out   v = m v + (g + d w);    w -= a r v
//     min   v = m v + min(a, r) (g + d w); w -= v      grad  v = m v + r (g + d w);  w -= a v
//     variant             ratio r                           step  adapts   decays           a/a'    who
//     paper               t n(w) / (n(g) + d n(w) + e)      in    all      all              no      You et al. 2017, Alg. 1 [V]
//     caffe               t n(w) / (n(g) + D n(w) + e)      in    all      all              no      nvcaffe 0.16_lars [V]
//     intel-caffe         t n(w) / (n(g+d w) + D n(w) + e)  in    all      all              warmup  Intel Caffe, not fused [V]
//     nvcaffe-larc-scale  t n(w) / (n(g) + e)               in    all      all              no      nvcaffe 0.16, "scale" [V]
//     nvcaffe-larc-clip   t n(w) / (n(g) + e)               min   all      all              no      nvcaffe 0.16, default [V]
//     mlperf              t n(w) / (n(g) + d n(w) + e)      in    weights  weights          no      TF, TF2 reference [V]
//     mlperf-scaled       t n(w) / (n(g+d w) + d n(w) + e)  out   weights  weights          -       early TF [V]; MLPerf 0.6 [U]
//     nvidia              t n(w) / (n(g) + d n(w) + e)      in    weights  weights, biases  always  MXNet sgdwfastlars [V]
//     larc-scale          t n(w) / (n(g) + d n(w) + e)      grad  all      all              -       apex LARC, clip=False [V]
//     larc-clip           min(that / a, 1)                  grad  all      all              -       apex LARC, default [V]
//   [V]: read in the paper or the code; [U]: from memory. t is 0.001 and e is 0, but 0.02 and 1e-8 for apex's; TF2 takes
//   1e-7 for an e of 0. Decay enters after the norm of g, where n(g + d w) is not said; in early TF it is part of the loss.
//   Intel Caffe's fused path is caffe. Fujitsu's (MLPerf 0.6, open) is mlperf with t = 0.0025, m = 0.96, rate 13: other
//   numbers, not another variant. Caffe's lr_mult and decay_mult are left out: the LARS authors' AlexNet-BN has none.
//   The columns adapts, decays and a/a' are defaults, which decay_bias, decay_norm, adapt_bias, adapt_norm and
//   momentum_correction override.
// clang-format on
#pragma once

#include <string>
#include <variant>

#include "port/arena.h"
#include "port/backend.h"
#include "train/experiment.h"
#include "train/schedule.h"

namespace convoy {

enum class Convention { outside, inside };  // of the velocity, for the rate

struct Sgd {
  Convention convention = Convention::outside;
  double momentum = 0.9, weight_decay = 0.0;
  bool nesterov = false, momentum_correction = false;
  bool decay_bias = true, decay_norm = false;
};

struct Lars {
  enum class Step { inside, outside, gradient };  // r multiplies the rate inside or outside, or the gradient
  enum class RatioDecay { own, global, none };    // the decay in the ratio's denominator: d, D or 0
  enum class Correction { never, warmup, always };  // of momentum by a/a'
  Step step = Step::inside;
  RatioDecay ratio_decay = RatioDecay::own;
  Correction correction = Correction::never;
  bool clips = false;             // the rate is an upper bound of the ratio, not a factor
  bool norm_after_decay = false;  // n(g + d w) in the denominator
  double momentum = 0.9, weight_decay = 0.0, trust = 0.001, epsilon = 0.0;
  bool nesterov = false;
  bool decay_bias = true, decay_norm = true, adapt_bias = true, adapt_norm = true;
};

struct RmspropWarmup {
  double momentum = 0.9, weight_decay = 0.0, mu2 = 0.99, epsilon = 1e-8, eta_rmsprop = 3e-4;
  double beta_center = 10, beta_period = 5;  // epochs
  bool literal = false;                      // the transition as printed
  bool by_epoch = true;                      // alpha_sgd changes between epochs, as in the authors' codes
  bool decay_bias = true, decay_norm = false;
};

using Optimizer = std::variant<Sgd, Lars, RmspropWarmup>;
Optimizer make_optimizer(const OptimizerOptions& options);
int optimizer_states(const Optimizer& optimizer);  // arena states: the velocity, and m of RmspropWarmup

// With x = (epoch - beta_center)/beta_period: exp(2 x)/2 for x < 0, then 1/2 + x until x = 1/2, then 1: continuous, with
// a continuous slope at the centre. literal: 1/2 + 2 x, as printed, which rises to 3/2 and jumps back to 1.
double alpha_sgd(const RmspropWarmup& optimizer, double epoch);

// The factor of the velocity in a step, corrected by a/a' where the optimizer does so.
double momentum_at(const Optimizer& optimizer, const StepRates& rates);

std::vector<std::string> lars_variants();              // "paper", ...
bool rate_is_inside(const OptimizerOptions& options);  // of the velocity
bool rate_is_bound(const OptimizerOptions& options);   // of a LARS variant that clips
// Fills in the defaults of a LARS variant (the table above), of a convention of SGD or of the RMSprop warm-up.
void set_variant_defaults(OptimizerOptions& options);

// T is float or double.
template <class T>
void update(const Optimizer& optimizer, VectorOf<T>& vector, const Graph& graph, ArenaOf<T>& arena,
            const StepRates& rates, T scale);

}  // namespace convoy

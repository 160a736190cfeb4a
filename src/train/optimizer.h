// Optimizers: one pass over the arena's segments a step, element-wise work done by the backend's Vector. g is
// the sum over all W workers of the gradient of each worker's mean loss; scale = 1/W makes it the mean. Let
// n(x) be the L2 norm, d the decay (0 where excluded), a the rate, a' the previous step's.
//   Sgd outside (PyTorch; Goyal et al., eq. 9)  v = m v + (g + d w);           w -= a v
//   Sgd inside (Caffe; eq. 10)                  v = m (a/a') v + a (g + d w);  w -= v      a/a' only with
//   momentum_correction Lars (You et al. 2017, Alg. 1): a is multiplied by r = trust n(w) / (n(g) + d n(w) +
//   epsilon), per parameter tensor, norms of the mean gradient BEFORE decay is added; r = 1 where a norm is
//   zero and for tensors that do not adapt.
//     variant        rate     decays             adapts        corrects momentum   who
//     paper          inside   all                all           no                  Alg. 1
//     caffe          inside   all                all           no                  nvcaffe, Intel Caffe; d in
//     r even where excluded mlperf         inside   weights            weights       no                  TF
//     MLPERF_LARSOptimizer mlperf-scaled  outside  weights            weights       no (needs none)     early
//     TF, Intel's lars.py: r scales the history nvidia         inside   weights, biases    weights       yes
//     MXNet sgdwfastlars
//   These are defaults: decay_bias, decay_norm, adapt_bias, adapt_norm, momentum_correction override them.
// Running statistics: r = keep r + (1-keep) (sum of the workers' minibatch statistics)/W, or
// what train/statistics.h says.
#pragma once

#include <string>
#include <variant>

#include "port/arena.h"
#include "port/backend.h"
#include "train/experiment.h"

namespace convoy {

struct Sgd {
  MomentumStep::Convention convention = MomentumStep::Convention::outside;
  double momentum = 0.9, weight_decay = 0.0;
  bool nesterov = false, momentum_correction = false;
  bool decay_bias = true, decay_norm = false;
};

struct Lars {
  MomentumStep::Convention convention = MomentumStep::Convention::inside;
  double momentum = 0.9, weight_decay = 0.0, trust = 0.001, epsilon = 0.0;
  bool nesterov = false, momentum_correction = false;
  bool decay_bias = true, decay_norm = true, adapt_bias = true, adapt_norm = true;
  bool full_decay_in_ratio = false;  // caffe: the global decay, also for tensors that do not decay
};

using Optimizer = std::variant<Sgd, Lars>;
Optimizer make_optimizer(const OptimizerOptions& options);
constexpr int optimizer_states = 1;  // the velocity

// Fills in the defaults of a LARS variant (the table above) or of a convention of SGD.
void set_variant_defaults(OptimizerOptions& options);

// previous_rate is that of the step before (of this step itself at step 0).
void update(const Optimizer& optimizer, Vector& vector, const Graph& graph, Arena& arena, double rate,
            double previous_rate, float scale);

}  // namespace convoy

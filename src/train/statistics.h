// Batch norm's statistics for evaluation (network.bn_evaluation). Each worker's minibatch statistics s_w travel in
// arena.grads() with the last bucket, and their sum over workers S updates the running ones after each step, the same on
// every rank (so a checkpoint holds them, and evaluation needs no communication). With keep k:
//   average         r <- k r + (1-k) S/W. As the recursion is linear, r is also the average over workers of their own
//                   running averages r_w <- k r_w + (1-k) s_w: the two are one.
//   first-worker    r <- k r + (1-k) s_0: workers other than 0 give zeros, which change no bit of a sum. What
//                   PyTorch's DDP and Goyal et al. in effect save: each process keeps its own, the first one's is read.
//   last-minibatch  r <- S/W, that is k = 0 (Akiba et al. 2017, "batch normalization without moving averages"): what they
//                   sum before a validation is here summed at every step, on the same allreduce.
#pragma once

#include "net/graph.h"
#include "port/arena.h"
#include "port/batch.h"

namespace convoy {

// `sum`, after the statistics of a bucket that `worker` is not asked for have been set to zero. `graph` and `arena` must
// outlive the result.
ReadyFn with_statistics(int worker, const Graph& graph, Arena& arena, ReadyFn sum);

}  // namespace convoy

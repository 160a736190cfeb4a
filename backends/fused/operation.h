// The closed set of fused operations, device-neutral: what a planner writes, cuDNN's graphs and our kernels execute, and
// the interpreter computes on the CPU. Every field that is an Id names a tensor; -1 where it is optional and absent.
// Tensors hold values rounded to their type; arithmetic within an operation is f32 (sums of convolutions may be taken
// in TF32 where the Recipe's precision says so), and each output is rounded once.
//
// Library operations (cuDNN has an engine for each, or the planner may not write it): ConvForward ... ConvBackwardNorm.
// Own operations: the rest; their element bodies (bodies.h) are compiled for the host and for the device alike.
#pragma once

#include <variant>
#include <vector>

#include "backends/fused/tensor.h"
#include "net/op.h"

namespace convoy::fused {

// y = conv(x, w) [* scale] [+ shift] [+ addend] [then ReLU]; scale, shift: f32 by channel. A Linear is a convolution whose
// kernel is the whole map.
struct ConvForward {
  Conv conv;
  Id x, w, y;
  Id scale = -1, shift = -1, addend = -1;
  bool relu = false;
};
// dx = conv^T(dy, w). `adds`: dx += that, in place: the sum in f32 plus what dx held, as a number of its type, rounded once.
struct ConvBackwardData {
  Conv conv;
  Id dy, w, dx;
  bool adds = false;
};
// dw = x (*) dy, of the activations' type; with scale and shift x is read as relu(x scale + shift), as in ConvStatistics.
struct ConvBackwardWeights {
  Conv conv;
  Id x, dy, dw;
  Id scale = -1, shift = -1;
};

// Ioffe & Szegedy 2015, Alg. 1 over the images [first, first + count) of x:
//   y = scale (x - mean) inv_std + shift [+ addend] [then ReLU, `mask` = what it let through, one bit an element]
// mean, inv_std (1/sqrt(var + epsilon)) and variance (by n/(n-1)) of these images are written: f32 by channel.
// scale = shift = -1 where the norm is not affine.
struct NormForward {
  float epsilon = 1e-5f;
  int first = 0, count = 0;
  Id x, scale, shift, addend = -1, y, mask = -1, mean, inv_std, variance;
};
// With g = dy (masked where there is a mask): dx, dscale, dshift of Alg. 1; d_addend = g where it is given.
struct NormBackward {
  int first = 0, count = 0;
  Id dy, mask = -1, x, mean, inv_std, scale, dx, d_addend = -1, dscale, dshift;
  // Of the forward pass, where the device wants them again (separate.h).
  Id y = -1, shift = -1;
  float epsilon = 1e-5f;
};

// Main-loop fusion (mainloop.h). y = conv(x, w), and by channel the sums of y and of y^2, f32; with scale and shift x is
// read as relu(x scale + shift), rounded to x's type as every factor of a product is. They are of that type too.
struct ConvStatistics {
  Conv conv;
  Id x, w, y, sum, squares;
  Id scale = -1, shift = -1;
};
// What a batch norm (of all images at once) made of its input: (x - mean) inv_std scale + shift; f32 by channel.
struct Normalized {
  Id x = -1, mean = -1, inv_std = -1, scale = -1, shift = -1;
};
// g = conv^T(dy, w) [+ addend], where v = norm [+ other] or v = norm [+ residual] is above 0 (made again from the norms'
// inputs, unrounded); dscale = sum of g (x - mean) inv_std, dshift = sum of g, of either norm: what batch norm's backward
// pass needs of whole maps.
struct ConvBackwardNorm {
  Conv conv;
  Id dy, w, addend = -1;
  Normalized norm, other;
  Id residual = -1, g, dscale, dshift, other_dscale = -1, other_dshift = -1;
};

// --- own operations -------------------------------------------------------------------------------------------------

struct PackImages {  // f32 NCHW -> NHWC, rounded, channels padded
  Id from, to;
};
// f32 OIHW -> KRSC, rounded, padded in K and C; a Linear's columns are CHW, a vector is a filter of one output.
// groups > 1: the filter of a grouped convolution becomes the dense one that has its blocks on the diagonal.
struct PackWeights {
  Id from, to;
  int groups = 1;
};
struct UnpackWeightGradient {  // KRSC -> f32 OIHW of the arena, divided by the loss scale; groups: as above
  Id from, to;
  int groups = 1;
};
// to[c] = (sum of the vectors) / loss scale: biases, batch norm's scale and shift
struct UnpackVectorGradient {
  std::vector<Id> from;
  Id to;
};
struct NormStatistics {  // means over the groups; of the variance by (n-1)/n where `biased`
  std::vector<Id> means, variances;
  Id mean, variance;  // of the arena
  double count = 0;   // elements of a channel in a group
  bool biased = false;
};
// Of ConvStatistics' sums over `count` elements a channel: mean, inv_std and variance as NormForward writes them, but with
// the variance as E[y^2] - E[y]^2, no less than 0: even of sums that are rounded once it is off by up to u (var + 3 mean^2),
// u = 2^-24, and a library that adds in f32 loses more. Nothing is left of a variance below u mean^2.
// to_scale = scale inv_std and to_shift = shift - mean scale inv_std, where a main loop reads them.
struct NormFinalize {
  float epsilon = 1e-5f;
  double count = 0;
  Id sum, squares, scale, shift, mean, inv_std, variance, to_scale = -1, to_shift = -1;
};
// y = norm [+ other] [+ residual] [then ReLU, `mask` = what it let through]; v of ConvBackwardNorm, rounded
struct NormJoin {
  Normalized norm, other;
  Id residual = -1, y, mask = -1;
  bool relu = false;
};
// dx of Alg. 1 from the sums that ConvBackwardNorm has taken: slope (g - dshift/n - (x - mean) inv_std dscale/n),
// slope = scale inv_std, n = `count` elements a channel
struct NormApply {
  double count = 0;
  Normalized norm;
  Id g, dscale, dshift, dx;
};
// Inference: scale' = scale/sqrt(var + epsilon), shift' = shift - (mean - bias) scale'; bias: of a convolution below.
struct NormFold {
  float epsilon = 1e-5f;
  Id scale, shift, mean, variance, to_scale, to_shift, bias = -1;
};
// y = x scale + shift [+ addend] [then ReLU]: inference where no convolution takes it along
struct ScaleShift {
  Id x, scale, shift, addend = -1, y;
  bool relu = false;
};
struct Sum {  // y = (sum of the parts) [where positive's value is above 0]: gradients meet, ReLU's backward
  std::vector<Id> parts;
  Id positive = -1, y;
};
struct ReluForward {
  Id x, y;
};
struct BiasGradient {  // db[c] = sum over positions of dy, f32, in a fixed order
  Id dy, db;
};
struct PoolForward {  // `choice` (max): index within the window of the first largest element
  Pool pool;
  Id x, y, choice = -1;
};
struct PoolBackward {
  Pool pool;
  Id dy, choice = -1, dx;
};
struct LrnForward {  // `scale`: k + alpha/size sum x^2, f32
  Lrn lrn;
  Id x, y, scale;
};
struct LrnBackward {
  Lrn lrn;
  Id x, y, scale, dy, dx;
};
struct DropoutMask {  // forward and backward are the same: port/batch.h's contract, over NCHW element numbers
  float p = 0.5f;
  int node = 0;
  Id x, y;
};
struct LossForward {  // losses f32 [n]; totals as backends/common/loss.h defines them
  float smoothing = 0;
  Id logits, labels, losses, totals;
};
struct LossBackward {  // d mean loss / d logits, multiplied by the loss scale
  float smoothing = 0;
  Id logits, labels, dlogits;
};
struct TopGradient {  // graphs without a loss: f32 NCHW -> NHWC, multiplied by the loss scale
  Id from, to;
};

struct
    ResizePictures {  // a table of pictures (bodies_pictures.h) -> f32 NCHW; before the plan: picture_stage.h
  Id table, to;
};

using Operation =
    std::variant<ConvForward, ConvBackwardData, ConvBackwardWeights, NormForward, NormBackward,
                 ConvStatistics, ConvBackwardNorm, PackImages, PackWeights, UnpackWeightGradient,
                 UnpackVectorGradient, NormStatistics, NormFinalize, NormJoin, NormApply, NormFold,
                 ScaleShift, Sum, ReluForward, BiasGradient, PoolForward, PoolBackward, LrnForward,
                 LrnBackward, DropoutMask, LossForward, LossBackward, TopGradient, ResizePictures>;

const char* name_of(const Operation& operation);  // "conv forward", ...
bool is_library(const Operation& operation);
std::vector<Id> reads(const Operation& operation);
std::vector<Id> writes(const Operation& operation);

}  // namespace convoy::fused

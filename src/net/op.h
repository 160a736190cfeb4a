// The closed set of operations. Adding one must break every backend's build: each visits this variant with no default.
// Shapes are those of ONE image (channels, height, width); the number of images is a fact of the Program.
// Formulas are those of PyTorch's functions of the same name, which tests/golden holds us to.
#pragma once

#include <cstdint>
#include <variant>

namespace convoy {

struct Shape {
  int channels = 0, height = 1, width = 1;
  int64_t elements() const { return int64_t{channels} * height * width; }
  bool operator==(const Shape&) const = default;
};

struct Extent {
  int height = 1, width = 1;
  bool operator==(const Extent&) const = default;
};

struct Input {
  Shape shape;  // images arrive as f32 NCHW
};

// Cross-correlation, weights OIHW with I = channels/groups; He et al. and Krizhevsky et al. use it so.
struct Conv {
  int outputs = 0;
  Extent kernel, stride, padding{0, 0};
  int groups = 1;
  bool bias = false;
};

// Ioffe & Szegedy 2015, Alg. 1: over each `group` of consecutive images and all positions (Hoffer et al. 2017, "ghost
// batch norm", where that is less than the minibatch). y = gamma (x-mean)/sqrt(var+eps) + beta.
// Running statistics, for inference: r <- keep r + (1-keep) s, where s is the mean over the minibatch's groups, and over
// all workers' minibatches of the step or of worker 0's alone. keep = 0: those of the last minibatch.
struct BatchNorm {
  float epsilon = 1e-5f;
  float keep = 0.9f;              // weight of the old running value (PyTorch's 1-momentum)
  bool affine = true;             // false: no gamma and beta (the LARS authors' AlexNet-BN)
  bool unbiased_running = true;   // running variance from n/(n-1) (PyTorch, Caffe) or from n
  int group = 0;                  // images that are taken together in training; 0: all of the minibatch
  bool first_worker = false;      // running statistics of worker 0's minibatches alone
};

struct Relu {};
struct Add {};  // two inputs of one shape

struct Pool {
  enum class Kind { max, average };
  Kind kind = Kind::max;
  Extent kernel, stride, padding{0, 0};  // floor mode; average divides by the full kernel, padding counted as zeros
};

// Across channels: y = x / (k + alpha/size * sum_{size channels} x^2)^beta (Krizhevsky et al. 2012, 3.3; Caffe's alpha/size).
struct Lrn {
  int size = 5;
  float alpha = 1e-4f, beta = 0.75f, k = 1.0f;
};

// y = W x + b, W is outputs x (channels*height*width) in CHW order: no separate flatten.
struct Linear {
  int outputs = 0;
  bool bias = true;
};

// Inverted dropout: kept values are divided by 1-p. The mask is a function of (seed, step, worker, node, element):
// see dropout_random() in port/batch.h. No effect in inference.
struct Dropout {
  float p = 0.5f;
};

// Mean over the worker's images of the cross-entropy against (1-s) onehot + s/classes (Szegedy et al. 2016, sec. 7).
// The node's own value is one number an image: its loss.
struct SoftmaxLoss {
  float smoothing = 0.0f;
};

using Op = std::variant<Input, Conv, BatchNorm, Relu, Add, Pool, Lrn, Linear, Dropout, SoftmaxLoss>;

const char* name_of(const Op& op);  // "conv", "batchnorm", ...

}  // namespace convoy

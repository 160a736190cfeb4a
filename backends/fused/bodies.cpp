#include "backends/fused/bodies.h"

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "port/batch.h"

namespace convoy::fused {

Stretches stretches_of(const Tensor& dy) {
  // As many stretches as positions in each, so that both sums are short and there is work for many threads.
  const auto length = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(dy.positions()))));
  return {(dy.positions() + length - 1) / length, length};
}

PoolShape pool_shape(const Pool& pool, const Tensor& x, const Tensor& y) {
  return {x.h,
          x.w,
          y.h,
          y.w,
          x.c,
          pool.kernel.height,
          pool.kernel.width,
          pool.stride.height,
          pool.stride.width,
          pool.padding.height,
          pool.padding.width};
}

LrnShape lrn_shape(const Lrn& lrn, const Tensor& x) {
  return {x.c, x.channels, lrn.size / 2, lrn.alpha / static_cast<float>(lrn.size), lrn.k, lrn.beta};
}

FilterShape filter_shape(const Tensor& canonical, const Tensor& packed, int groups) {
  return {canonical.n, canonical.c, canonical.h, canonical.w, packed.c, groups};
}

uint64_t dropout_purpose() {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a, as stream_of()
  for (const char c : {'d', 'r', 'o', 'p', 'o', 'u', 't'})
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

uint32_t dropout_threshold_of(float p) { return dropout_threshold(p); }

void refuse_type(const Tensor& tensor) {
  fail("internal error: {} is no tensor of floating-point numbers: please report it", tensor.name);
}

void refuse_library(const Operation& operation) {
  fail("internal error: {} is an operation of the library, not one of ours: please report it",
       name_of(operation));
}

namespace {

struct WorkspaceVisitor {
  const Bound& bound;
  size_t operator()(const BiasGradient& op) const {
    const Tensor& dy = bound.tensor(op.dy);
    return static_cast<size_t>(stretches_of(dy).count * dy.c) * sizeof(double);
  }
  size_t operator()(const LossForward& op) const { return loss(op.logits); }
  size_t operator()(const LossBackward& op) const { return loss(op.logits); }
  template <class Op>
  size_t operator()(const Op&) const {
    return 0;
  }
  size_t loss(Id logits) const {
    return static_cast<size_t>(bound.tensor(logits).n) *
           (LossShape::lanes * sizeof(LossLane) + sizeof(LossImage));
  }
};

}  // namespace

size_t workspace_of(const Operation& operation, const Bound& bound) {
  return std::visit(WorkspaceVisitor{bound}, operation);
}

}  // namespace convoy::fused

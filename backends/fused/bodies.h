// Own operations as launches of element bodies: with_body calls launch(body, count) for each, in order; body(i) for all
// 0 <= i < count may run at once and in any order, and no two write the same element. The host loops over them
// (host_device.cpp), CUDA makes a kernel of each: the same source computes the same numbers, up to the libraries' exp, log
// and pow, where the compiler contracts nothing into FMA (nvcc: -fmad=false).
// Sums are taken in an order that the shapes alone decide. `workspace` has workspace_of(operation, bound) bytes, aligned
// to 16; addresses of tensors too.
#pragma once

#include <algorithm>
#include <variant>

#include "backends/fused/bodies_loss.h"
#include "backends/fused/bodies_lrn.h"
#include "backends/fused/bodies_mainloop.h"
#include "backends/fused/bodies_norm.h"
#include "backends/fused/bodies_pack.h"
#include "backends/fused/bodies_pictures.h"
#include "backends/fused/bodies_pointwise.h"
#include "backends/fused/bodies_pool.h"
#include "backends/fused/device.h"

namespace convoy::fused {

size_t workspace_of(const Operation& operation, const Bound& bound);

// What the visitor needs beside the bodies; defined in bodies.cpp, which the host's compiler reads alone.
struct Stretches {
  int64_t count, positions;  // of a stretch
};
Stretches stretches_of(const Tensor& dy);  // of a bias gradient's sums
PoolShape pool_shape(const Pool& pool, const Tensor& x, const Tensor& y);
LrnShape lrn_shape(const Lrn& lrn, const Tensor& x);
FilterShape filter_shape(const Tensor& canonical, const Tensor& packed, int groups);
uint64_t dropout_purpose();
uint32_t dropout_threshold_of(float p);
[[noreturn]] void refuse_type(const Tensor& tensor);
[[noreturn]] void refuse_library(const Operation& operation);

template <class Run>
void with_storage(const Tensor& tensor, const Run& run) {
  switch (tensor.type) {
    case Type::f32:
      return run(float{});
    case Type::f16:
      return run(Half{});
    case Type::bf16:
      return run(Brain{});
    default:
      refuse_type(tensor);
  }
}

template <class Launch>
struct BodyVisitor {
  const Operation& operation;
  const Bound& bound;
  std::byte* workspace;
  const Launch& launch;

  template <class T>
  T* at(Id id) const {
    return id < 0 ? nullptr : reinterpret_cast<T*>(bound.at(id));
  }
  const Tensor& tensor(Id id) const { return bound.tensor(id); }
  int64_t elements(Id id) const { return tensor(id).elements(); }
  const float* loss_scale() const { return &bound.facts->loss_scale; }

  Vectors vectors(const std::vector<Id>& ids, size_t first) const {
    Vectors made{{}, static_cast<int>(std::min(ids.size() - first, size_t{most_vectors}))};
    for (int v = 0; v < made.count; ++v) made.at[v] = at<float>(ids[first + static_cast<size_t>(v)]);
    return made;
  }
  LossShape loss_shape(Id logits) const {
    return {tensor(logits).n, tensor(logits).channels, tensor(logits).c};
  }

  void operator()(const PackImages& op) const { pack_maps(op.from, op.to, nullptr); }
  void operator()(const TopGradient& op) const { pack_maps(op.from, op.to, loss_scale()); }
  void pack_maps(Id from, Id to, const float* scale) const {
    const Tensor& t = tensor(to);
    with_storage(t, [&]<class T>(T) {
      launch(PackMapsBody<T>{at<float>(from), at<T>(to), t.h, t.w, t.c, t.channels, scale}, t.elements());
    });
  }
  void operator()(const ResizePictures& op) const {
    const Tensor& t = tensor(op.to);
    launch(PicturesBody{at<PictureTable>(op.table), at<float>(op.to), t.h}, t.positions());
  }
  void operator()(const PackWeights& op) const {
    const FilterShape shape = filter_shape(tensor(op.from), tensor(op.to), op.groups);
    with_storage(tensor(op.to), [&]<class T>(T) {
      launch(PackWeightsBody<T>{at<float>(op.from), at<T>(op.to), shape}, elements(op.to));
    });
  }
  void operator()(const UnpackWeightGradient& op) const {
    const FilterShape shape = filter_shape(tensor(op.to), tensor(op.from), op.groups);
    with_storage(tensor(op.from), [&]<class T>(T) {
      launch(UnpackWeightsBody<T>{at<T>(op.from), at<float>(op.to), shape, loss_scale()}, elements(op.to));
    });
  }
  void operator()(const UnpackVectorGradient& op) const {
    for (size_t first = 0; first < op.from.size(); first += most_vectors)
      launch(UnpackVectorsBody{vectors(op.from, first), at<float>(op.to), loss_scale(), first > 0},
             elements(op.to));
  }
  void operator()(const NormStatistics& op) const {
    const double factor = op.biased ? (op.count - 1) / op.count : 1.0;
    for (size_t first = 0; first < op.means.size(); first += most_vectors)
      launch(
          NormStatisticsBody{vectors(op.means, first), vectors(op.variances, first), at<float>(op.mean),
                             at<float>(op.variance), static_cast<double>(op.means.size()), factor, first > 0},
          elements(op.mean));
  }
  NormalizedBody normalized(const Normalized& n) const {
    return {at<float>(n.mean), at<float>(n.inv_std), at<float>(n.scale), at<float>(n.shift)};
  }
  void operator()(const NormFinalize& op) const {
    const auto finalize = [&]<class T>(T) {
      launch(NormFinalizeBody<T>{at<float>(op.sum), at<float>(op.squares), at<float>(op.scale),
                                 at<float>(op.shift), at<float>(op.mean), at<float>(op.inv_std),
                                 at<float>(op.variance), at<T>(op.to_scale), at<T>(op.to_shift), op.count,
                                 static_cast<double>(op.epsilon)},
             elements(op.mean));
    };
    op.to_scale < 0 ? finalize(float{}) : with_storage(tensor(op.to_scale), finalize);
  }
  template <class T, int width>
  void join(const NormJoin& op, uint8_t* mask) const {
    using Pack = Lanes<T, width>;
    launch(NormJoinBody<T, width>{at<Pack>(op.norm.x), at<Pack>(op.other.x), at<Pack>(op.residual),
                                  at<Pack>(op.y), mask, normalized(op.norm), normalized(op.other),
                                  tensor(op.y).c / width, op.relu},
           elements(op.y) / width);
  }
  void operator()(const NormJoin& op) const {
    auto* mask = at<uint8_t>(op.mask);
    with_storage(tensor(op.y), [&]<class T>(T) {
      constexpr int width = 16 / sizeof(T);
      if (tensor(op.y).c % width != 0)
        join<T, 1>(op, nullptr);
      else
        join<T, width>(op, width == 8 ? mask : nullptr);
      if (mask != nullptr && (width != 8 || tensor(op.y).c % width != 0))
        launch(MaskBody<T>{at<T>(op.y), mask, elements(op.y)}, (elements(op.y) + 7) / 8);
    });
  }
  template <class T, int width>
  void apply(const NormApply& op) const {
    using Pack = Lanes<T, width>;
    launch(NormApplyBody<T, width>{at<Pack>(op.g), at<Pack>(op.norm.x), at<Pack>(op.dx), normalized(op.norm),
                                   at<float>(op.dscale), at<float>(op.dshift),
                                   static_cast<float>(1.0 / op.count), tensor(op.dx).c / width},
           elements(op.dx) / width);
  }
  void operator()(const NormApply& op) const {
    with_storage(tensor(op.dx), [&]<class T>(T) {
      constexpr int width = 16 / sizeof(T);
      tensor(op.dx).c % width == 0 ? apply<T, width>(op) : apply<T, 1>(op);
    });
  }
  void operator()(const NormFold& op) const {
    launch(NormFoldBody{at<float>(op.scale), at<float>(op.shift), at<float>(op.bias), at<float>(op.mean),
                        at<float>(op.variance), at<float>(op.to_scale), at<float>(op.to_shift),
                        static_cast<double>(op.epsilon), tensor(op.mean).channels},
           elements(op.to_scale));
  }
  void operator()(const ScaleShift& op) const {
    with_storage(tensor(op.y), [&]<class T>(T) {
      launch(ScaleShiftBody<T>{at<T>(op.x), at<T>(op.addend), at<float>(op.scale), at<float>(op.shift),
                               at<T>(op.y), tensor(op.y).c, op.relu},
             elements(op.y));
    });
  }
  template <class T, int width>
  void sum(const ::convoy::fused::Sum& op) const {
    using Pack = Lanes<T, width>;
    SumBody<T, width> body{{}, static_cast<int>(op.parts.size()), at<Pack>(op.positive), at<Pack>(op.y)};
    for (size_t p = 0; p < op.parts.size(); ++p) body.parts[p] = at<Pack>(op.parts[p]);
    launch(body, elements(op.y) / width);
  }
  void operator()(const ::convoy::fused::Sum& op) const {
    with_storage(tensor(op.y), [&]<class T>(T) {
      constexpr int width = 16 / sizeof(T);
      elements(op.y) % width == 0 ? sum<T, width>(op) : sum<T, 1>(op);
    });
  }
  template <class T, int width>
  void relu(const ReluForward& op) const {
    using Pack = Lanes<T, width>;
    launch(ReluBody<T, width>{at<Pack>(op.x), at<Pack>(op.y)}, elements(op.y) / width);
  }
  void operator()(const ReluForward& op) const {
    with_storage(tensor(op.y), [&]<class T>(T) {
      constexpr int width = 16 / sizeof(T);
      elements(op.y) % width == 0 ? relu<T, width>(op) : relu<T, 1>(op);
    });
  }
  void operator()(const BiasGradient& op) const {
    const Tensor& dy = tensor(op.dy);
    const Stretches stretches = stretches_of(dy);
    auto* sums = reinterpret_cast<double*>(workspace);
    with_storage(dy, [&]<class T>(T) {
      launch(BiasStretchBody<T>{at<T>(op.dy), sums, dy.positions(), stretches.positions, dy.c},
             stretches.count * dy.c);
    });
    launch(BiasSumBody{sums, at<float>(op.db), stretches.count, dy.c}, int64_t{dy.c});
  }
  void operator()(const PoolForward& op) const {
    const PoolShape shape = pool_shape(op.pool, tensor(op.x), tensor(op.y));
    with_storage(tensor(op.y), [&]<class T>(T) {
      if (op.pool.kind == Pool::Kind::max)
        launch(MaxPoolBody<T>{at<T>(op.x), at<T>(op.y), at<uint8_t>(op.choice), shape}, elements(op.y));
      else
        launch(AveragePoolBody<T>{at<T>(op.x), at<T>(op.y), shape}, elements(op.y));
    });
  }
  void operator()(const PoolBackward& op) const {
    const PoolShape shape = pool_shape(op.pool, tensor(op.dx), tensor(op.dy));
    with_storage(tensor(op.dx), [&]<class T>(T) {
      launch(PoolBackwardBody<T>{at<T>(op.dy), at<uint8_t>(op.choice), at<T>(op.dx), shape}, elements(op.dx));
    });
  }
  void operator()(const LrnForward& op) const {
    with_storage(tensor(op.y), [&]<class T>(T) {
      launch(
          LrnForwardBody<T>{at<T>(op.x), at<T>(op.y), at<float>(op.scale), lrn_shape(op.lrn, tensor(op.x))},
          elements(op.y));
    });
  }
  void operator()(const LrnBackward& op) const {
    with_storage(tensor(op.dx), [&]<class T>(T) {
      launch(LrnBackwardBody<T>{at<T>(op.x), at<T>(op.y), at<T>(op.dy), at<float>(op.scale), at<T>(op.dx),
                                lrn_shape(op.lrn, tensor(op.x))},
             elements(op.dx));
    });
  }
  void operator()(const DropoutMask& op) const {
    const Tensor& y = tensor(op.y);
    const StepFacts& facts = *bound.facts;  // its address alone is looked at here
    const auto scale = static_cast<float>(1.0 / (1.0 - static_cast<double>(op.p)));
    with_storage(y, [&]<class T>(T) {
      launch(DropoutBody<T>{at<T>(op.x), at<T>(op.y), y.n, y.h, y.w, y.c, y.channels, scale,
                            dropout_threshold_of(op.p), dropout_purpose(), static_cast<uint64_t>(op.node),
                            &facts.seed, &facts.step, &facts.worker, &facts.workers},
             y.elements());
    });
  }
  // The two passes over each image's classes that loss and gradient begin with.
  template <class T>
  LossImage* loss_images(Id logits, Id labels, float* losses, double smoothing) const {
    const LossShape shape = loss_shape(logits);
    const int64_t count = int64_t{shape.images} * LossShape::lanes;
    auto* lanes = reinterpret_cast<LossLane*>(workspace);
    auto* images = reinterpret_cast<LossImage*>(lanes + count);
    launch(LossMaxBody<T>{at<T>(logits), lanes, shape}, count);
    launch(LossLaneBody<T>{at<T>(logits), at<int32_t>(labels), lanes, shape}, count);
    launch(LossImageBody<T>{at<T>(logits), at<int32_t>(labels), lanes, images, losses, smoothing, shape},
           int64_t{shape.images});
    return images;
  }
  void operator()(const LossForward& op) const {
    with_storage(tensor(op.logits), [&]<class T>(T) {
      const LossImage* images =
          loss_images<T>(op.logits, op.labels, at<float>(op.losses), static_cast<double>(op.smoothing));
      launch(LossTotalsBody{at<int32_t>(op.labels), images, at<int64_t>(op.totals), tensor(op.logits).n},
             int64_t{1});
    });
  }
  void operator()(const LossBackward& op) const {
    with_storage(tensor(op.logits), [&]<class T>(T) {
      const auto smoothing = static_cast<double>(op.smoothing);
      const LossImage* images = loss_images<T>(op.logits, op.labels, nullptr, smoothing);
      launch(LossGradientBody<T>{at<T>(op.logits), at<int32_t>(op.labels), images, at<T>(op.dlogits),
                                 smoothing, loss_scale(), loss_shape(op.logits)},
             elements(op.dlogits));
    });
  }

  void operator()(const ConvForward&) const { refuse_library(operation); }
  void operator()(const ConvBackwardData&) const { refuse_library(operation); }
  void operator()(const ConvBackwardWeights&) const { refuse_library(operation); }
  void operator()(const NormForward&) const { refuse_library(operation); }
  void operator()(const NormBackward&) const { refuse_library(operation); }
  void operator()(const ConvStatistics&) const { refuse_library(operation); }
  void operator()(const ConvBackwardNorm&) const { refuse_library(operation); }
};

template <class Launch>
void with_body(const Operation& operation, const Bound& bound, std::byte* workspace, const Launch& launch) {
  std::visit(BodyVisitor<Launch>{operation, bound, workspace, launch}, operation);
}

}  // namespace convoy::fused

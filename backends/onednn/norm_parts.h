// What the two ways to emit a batch norm have in common: groups of images, the minibatch's statistics, gradients of parameters.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "backends/onednn/builder.h"

namespace convoy::onednn {

// The layout of one of `groups` equal slices of the images; throws where the slices do not lie behind one another.
Desc slice_of(const Desc& maps, int groups);
View slice_of(const View& maps, int group, int groups);

std::vector<View> vectors(Builder& to, const Desc& desc, int count);

// The minibatch's statistics, of those of its groups, as the running averages want them.
void copy_statistics(Builder& to, int id, const BatchNorm& op, const std::vector<View>& means,
                     const std::vector<View>& variances);

// What the backward pass of one group is given: slices of the outputs' gradient and of the inputs', and where the gradients of scale
// and shift are written (absent: not affine).
struct NormGroup {
  int group;
  View gradient, src_gradient, d_scale, d_shift;
};
// The backward pass: emit(group) of each, and what all of them make of the node.
void norm_backward(Builder& to, int id, const BatchNorm& op,
                   const std::function<void(const NormGroup&)>& emit);

// By loops of ours (norm_kernel.h); nothing where the library is to do it: in inference, and of maps in f32.
std::optional<EmitBackward> emit_own_norm(Builder& to, int id, const BatchNorm& op);

}  // namespace convoy::onednn

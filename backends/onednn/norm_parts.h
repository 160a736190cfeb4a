// What the two ways to emit a batch norm have in common: groups of images, the minibatch's statistics, gradients of parameters.
#pragma once

#include <optional>
#include <span>
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

// Where each group's gradient of a parameter is written, and their sum into the arena.
class ParamGradient {
 public:
  // Parameter `which` of the node, in the layout `vector`.
  ParamGradient(Builder& to, const Node& node, const BatchNorm& op, size_t which, const Desc& vector,
                int groups);
  const View& part(int group) const { return parts_[static_cast<size_t>(group)]; }
  void finish(Builder& to) const;

 private:
  std::span<float> home_;
  std::vector<View> parts_;
};

// By loops of ours (norm_kernel.h); nothing where the library is to do it: in inference, and of maps in f32.
std::optional<EmitBackward> emit_own_norm(Builder& to, int id, const BatchNorm& op);

}  // namespace convoy::onednn

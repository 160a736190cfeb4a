#include "train/network.h"

#include <charconv>

#include "base/error.h"
#include "net/alexnet.h"
#include "net/resnet.h"

namespace convoy {
namespace {

Graph make_resnet(const NetworkOptions& options, int classes) {
  ResnetOptions wanted;
  std::from_chars(options.model.data() + 6, options.model.data() + options.model.size(), wanted.depth);
  wanted.variant = options.variant == "v1" ? ResnetOptions::Variant::v1 : ResnetOptions::Variant::v1_5;
  wanted.stem = options.stem == "small" ? ResnetOptions::Stem::small : ResnetOptions::Stem::imagenet;
  wanted.width = options.width;
  wanted.classes = classes;
  wanted.input = options.input;
  wanted.zero_gamma = options.zero_gamma;
  wanted.norm = norm_of(options, true);
  wanted.label_smoothing = static_cast<float>(options.label_smoothing);
  return resnet(wanted);
}

}  // namespace

BatchNorm norm_of(const NetworkOptions& options, bool affine) {
  return {.epsilon = static_cast<float>(options.bn_epsilon),
          .keep = options.bn_evaluation == "last-minibatch" ? 0.0f : static_cast<float>(options.bn_keep),
          .affine = affine,
          .unbiased_running = options.bn_unbiased,
          .group = options.bn_group,
          .first_worker = options.bn_evaluation == "first-worker"};
}

Graph make_network(const NetworkOptions& options, int classes) {
  const int outputs = options.classes > 0 ? options.classes : classes;
  require(outputs >= 2, "{} class leaves nothing to learn: the training set needs at least 2", outputs);
  require(classes <= outputs, Exit::usage,
          "network.classes = {}, but the training set has {}: leave it out to take the set's", outputs,
          classes);
  if (options.model.starts_with("resnet")) return make_resnet(options, outputs);
  AlexnetOptions wanted;
  using Kind = AlexnetOptions::Kind;
  wanted.kind = options.model == "alexnet-bn"            ? Kind::bn
                : options.model == "alexnet-torchvision" ? Kind::torchvision
                                                         : Kind::original;
  wanted.classes = outputs;
  wanted.input = options.input;
  wanted.dropout = static_cast<float>(options.dropout);
  wanted.label_smoothing = static_cast<float>(options.label_smoothing);
  wanted.norm = norm_of(options, false);
  return alexnet(wanted);
}

}  // namespace convoy

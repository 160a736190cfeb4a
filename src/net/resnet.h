// Residual networks of He et al. 2016 for ImageNet, 18 to 152 layers, and in both of the forms in circulation:
//   v1    (He et al., Caffe)                  a bottleneck block's stride is on its first 1x1 convolution
//   v1.5  (fb.resnet.torch, Goyal, PyTorch)   and here on its 3x3 convolution
// Basic blocks (18, 34) have no such choice; their Graph's name says "v1=v1.5". Parameter names are torchvision's.
// Convolutions start with He's normal initialization over fan-out, batch norms with gamma 1 (0 for the last of each
// block with zero_gamma: Goyal et al. 2017, 5.1), the classifier as `classifier` says.
#pragma once

#include "net/graph.h"

namespace convoy {

struct ResnetOptions {
  enum class Variant { v1, v1_5 };
  // 7x7/2 and max pool; or 3x3/1 and none, for images of 32 to 64 pixels.
  enum class Stem { imagenet, small };
  // N(0, 0.01) and bias 0; or both U(-1/sqrt(inputs), 1/sqrt(inputs)).
  enum class Classifier { goyal, pytorch };
  int depth = 50;  // 18, 34, 50, 101, 152
  Variant variant = Variant::v1_5;
  int width = 64;  // channels of the first stage
  int classes = 1000;
  int input = 224;
  Stem stem = Stem::imagenet;
  bool zero_gamma = true;
  BatchNorm norm;
  float label_smoothing = 0.0f;
  Classifier classifier = Classifier::goyal;
};

Graph resnet(const ResnetOptions& options);

}  // namespace convoy

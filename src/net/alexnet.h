// Three networks that are all called AlexNet, never one under another's name:
//   original     Krizhevsky et al. 2012 as Caffe's bvlc_alexnet: conv-relu-LRN-pool in this order, two groups in conv2,
//                conv4 and conv5, input 227
//   bn           the LARS authors' AlexNet-BN (nvcaffe alexnet_bn/train_val2): the same without LRN, with batch norms
//                without gamma and beta on the inputs of conv2 to conv5 (after pool1, pool2, relu3, relu4)
//   torchvision  Krizhevsky 2014 ("one weird trick") as torchvision has it: 64-192-384-256-256, no groups, input 224
// Parameter names are torchvision's for the third, Caffe's layer names for the others; initial values likewise.
// Caffe's pooling rounds sizes up and convoy's down: inputs where the two differ are refused.
#pragma once

#include "net/graph.h"

namespace convoy {

struct AlexnetOptions {
  enum class Kind { original, bn, torchvision };
  Kind kind = Kind::original;
  int classes = 1000;
  int input = 0;  // 0: 227, or 224 for torchvision
  float dropout = 0.5f;
  float label_smoothing = 0.0f;
  BatchNorm norm{1e-4f, 0.9f, false, true};  // of kind bn
};

Graph alexnet(const AlexnetOptions& options);

}  // namespace convoy

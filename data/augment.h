// Everything that turns a decoded image into the network's input. Part of the Experiment: the same image, Transform and
// Random give the same bits anywhere. Semantics are torchvision's on PIL images (RandomResizedCrop, Resize + CenterCrop,
// RandomHorizontalFlip, ToTensor, Normalize, in f32), and the AlexNet and LARS papers' own: a random crop of an image
// resized ("squashed") to a square. Output: f32 [3][input][input], owned by the caller; a Scratch serves one thread.
#pragma once

#include <array>
#include <span>
#include <string>

#include "base/random.h"
#include "data/decode.h"
#include "data/resize.h"

namespace convoy {

struct Transform {
  // "random-resized-crop" (Inception, Goyal et al.), "random-crop" of the image resized to `resize` (AlexNet, You et
  // al.), or "center": no augmentation, each image as it is evaluated.
  std::string train = "random-resized-crop";
  int input = 224;      // side of the network's input
  int resize = 256;     // the short side, or both sides when `squash`
  bool squash = false;  // to a square whatever the aspect, as Caffe's 256x256 sets were made
  bool mirror = true;   // with probability 1/2, where the crop is random
  double min_area = 0.08, max_area = 1.0;           // random-resized-crop: share of the image's area
  double min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;  // and width / height, log-uniform
  // out[c] = (value / divisor - mean[c]) / std[c]; mean and std in the order of the output's channels.
  // Caffe with scale 1/256: divisor 1, std 256, bgr, mean 104, 117, 123.
  float divisor = 255.0f;
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
  bool bgr = false;
  bool operator==(const Transform&) const = default;
};

void check(const Transform& transform);  // throws a usage Error that names the wrong key of the job

// What is looked at: `crop` of the image, resized to width x height, `window` of that, mirrored or not.
struct View {
  Crop crop;
  int width = 0, height = 0;
  Crop window;
  bool mirror = false;
  bool operator==(const View&) const = default;
};
View train_view(int width, int height, const Transform& transform, Random random);
View held_out_view(int width, int height, const Transform& transform);
// The part of the image that a view's pixels are computed from, or a little more.
Crop needed(const View& view);

struct Scratch {
  ResizeScratch resize;
  Image resized;
};
// One view of an image as the network's input; chw holds 3 * input * input values.
void prepare(const Image& image, const View& view, const Transform& transform, std::span<float> chw,
             Scratch& scratch);
// random = Random(seed, stream_of("augment", epoch, sample)).
void prepare_train(const Image& image, const Transform& transform, Random random, std::span<float> chw,
                   Scratch& scratch);
void prepare_held_out(const Image& image, const Transform& transform, std::span<float> chw, Scratch& scratch);

}  // namespace convoy

// A learnable image set without any download: JPEGs of one shape each (disc, ring, square, ...), which is the class.
// Position, size, rotation, colours (both polarities), background gradient, blur and noise are random, so neither mean
// colours nor fixed pixels tell the classes apart: a linear model on pixels stays near chance, a small CNN learns it.
// Image (seed, split, index) is a pure function of its options. synthesize_folder writes an ImageNet-style tree:
// train/<wnid>/<wnid>_<n>.JPEG, val/<wnid>/..., and classes.tsv (index, wnid, word).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "data/decode.h"

namespace convoy {

struct SynthOptions {
  int classes = 10;  // 2 to 16
  int train_per_class = 400;
  int val_per_class = 100;
  int size = 48;  // pixels a side
  int quality = 90;
  uint64_t seed = 1;
};

struct SynthImage {
  bool held_out = false;
  int label = 0, number = 0;        // number counts within the class and split
  std::string name;                 // "train/n90000000/n90000000_12.JPEG"
  std::span<const std::byte> jpeg;  // valid during the call
};

std::string synth_wnid(int label);
std::string synth_word(int label);
Image synth_image(const SynthOptions& options, bool held_out, int label, int number);
void synthesize(const SynthOptions& options, const std::function<void(const SynthImage&)>& write);
void synthesize_folder(const SynthOptions& options, const std::filesystem::path& folder);

}  // namespace convoy

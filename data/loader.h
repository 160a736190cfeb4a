// Minibatches from a packed dataset: read, checked, decoded, augmented and normalized by a few threads that work ahead
// in the order (step, local workers); any other order gives the same bits, only later. What image stands where is
// data/loader_order.h; its augmentation is a function of (seed, epoch, sample). Batches lie in a fixed ring of buffers
// owned by the loader (see port/loader.h for how long), so memory is bounded: four batches of f32, two without prefetch; of
// pictures at most twice as much for inputs of 210 pixels and more (port/picture_limits.h).
// An error in a thread is thrown by the next() that asks for the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "port/loader.h"

namespace convoy {

class SpanSink;

struct LoaderOptions {
  bool training = true;  // endless, shuffled and augmented; otherwise in order, to the end, padded
  uint64_t seed = 1;
  int workers = 1;  // W, of the experiment
  int batch = 1;    // b images a worker
  Transform transform;
  std::vector<int> local_workers = {0};  // ascending: what this rank asks for each step
  int threads = 1;
  DeviceInput input = DeviceInput::planes;  // what of it the device does: port/picture.h
  bool prefetch = true;       // otherwise images are prepared only when asked for, by the same threads
  SpanSink* spans = nullptr;  // told of every image prepared and every wait, if given; outlives the loader
};

std::unique_ptr<Loader> make_loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

// One batch of normal noise, made once and returned for every step and worker: for speed without storage or decoding.
// Labels run through the classes.
struct SyntheticOptions {
  int64_t samples = 1281167;
  int classes = 1000;
  int input = 224;
  int batch = 1;
  uint64_t seed = 1;
};
std::unique_ptr<Loader> make_synthetic_loader(const SyntheticOptions& options);

}  // namespace convoy

// An Experiment is everything the bits of a training depend on, and nothing else: network, W workers x b
// images, input pipeline, optimizer, schedule, seed. Where it runs is the Placement (train/placement.h).
// Parsed from TOML (one table a struct below, one key a member), where unknown, misspelt, ill-typed,
// out-of-range and unread keys are errors that name file and line. Defaults that depend on a choice
// (network.model, optimizer.variant) are set by defaults_of_choices(). Rates and decays are absolute unless
// said; durations are in epochs of the training set, fractions allowed.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

struct NetworkOptions {
  std::string model = "resnet50";  // resnet{18,34,50,101,152}, alexnet, alexnet-bn, alexnet-torchvision
  // ResNet: stride on the 3x3 (v1.5: fb.resnet.torch, Goyal et al.) or on the 1x1 (v1: He et al.).
  std::string variant = "v1.5";
  // ResNet: 7x7/2 and max pooling, or "small" (3x3/1) for inputs of 32 to 64 pixels.
  std::string stem = "imagenet";
  int width = 64;            // ResNet: channels of the first stage; 64 in every published network
  int input = 224;           // pixels a side; 227 for alexnet and alexnet-bn
  int classes = 0;           // 0: as many as the training set has
  bool zero_gamma = true;    // ResNet: last batch norm of every block starts at 0 (Goyal et al., sec. 5.1)
  double bn_epsilon = 1e-5;  // 1e-4 for alexnet-bn
  // Statistics that evaluation and `convoy evaluate` use (train/statistics.h); training's are always the minibatch's own:
  //   average         running averages of every step's statistics, averaged over all workers
  //   first-worker    worker 0's own running averages (PyTorch's DDP, Goyal et al.)
  //   last-minibatch  the last minibatch's, averaged over all workers (Akiba et al.); does not read bn_keep
  std::string bn_evaluation = "average";
  double bn_keep = 0.9;     // weight of the old running statistics
  bool bn_unbiased = true;  // running variance from n/(n-1)
  // Images that batch norm takes together in training; 0: a worker's minibatch. A divisor of minibatch.images: groups of
  // consecutive images ("ghost batch norm"). k x minibatch.images: the minibatches of k consecutive workers, which then
  // run on one rank as one larger worker of so many images, with their own data, augmentation and dropout.
  int bn_group = 0;
  double label_smoothing = 0.0;
  double dropout = 0.5;  // AlexNets
};

// What happens to an image between the shard and the network; src/cli copies it into data's Transform.
struct InputOptions {
  std::filesystem::path train, held_out;      // relative to the job file (from a flag: to the current folder)
  std::string train_crop = "random-resized";  // or "random" (of the resized image), "center"
  int input = 224;                            // = network.input
  int resize = 256;                           // short side before a center or random crop
  bool squash = false;                        // resize to resize x resize, without keeping the aspect ratio
  bool mirror = true;
  double min_area = 0.08, max_area = 1.0, min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;  // random-resized
  std::array<double, 3> mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};  // in `order`, after `scale`
  double scale = 1.0 / 255;   // multiplies the 8-bit value first
  std::string order = "rgb";  // or "bgr"
};

struct MinibatchOptions {
  int workers = 1;  // W
  int images = 32;  // b, per worker: batch norm's statistics are over these, or over network.bn_group
  int64_t global() const { return int64_t{workers} * images; }
};

struct TrainOptions {
  double epochs = 0;  // one of epochs and steps
  int64_t steps = 0;
  uint64_t seed = 1;
  int evaluate_every = 1;   // epochs; 0: at the end only. Changes no bit
  double bucket_mib = 8.0;  // size of the gradient buckets. Changes no bit on the tree
  // A step whose loss or gradients are not finite: "stop"; "skip" it, counted; or "roll-back" to the last checkpoint,
  // which heals a fault of the hardware and stops where the same step fails again.
  std::string on_nonfinite = "stop";
  // Initial weights: a safetensors file, and what it must give: the digest of all weights before step 0, which stands for
  // the file in the arithmetic. `fresh`: layers, with commas between, that start as without the file ("fc").
  std::filesystem::path weights;
  std::string fresh, weights_xxh3;
};

// Where decay enters, who is skipped and whether momentum is corrected: train/optimizer.h.
struct OptimizerOptions {
  std::string kind = "sgd";            // or "lars", "rmsprop-warmup" (Akiba et al. 2017)
  std::string variant = "paper";       // lars: one of the table in train/optimizer.h
  std::string convention = "outside";  // sgd: rate outside the velocity (PyTorch) or "inside" (Caffe)
  double momentum = 0.9;
  bool nesterov = false;
  bool momentum_correction = true;  // rate inside only: momentum x rate/previous rate (Goyal et al., sec. 3)
  double weight_decay = 1e-4;
  bool decay_bias = true, decay_norm = false;
  double trust = 0.001;  // lars; 0.02 for apex's larc variants
  double epsilon = 0.0;  // lars, rmsprop-warmup; 1e-8 for that and for the larc variants
  bool adapt_bias = true, adapt_norm = true;
  // rmsprop-warmup: alpha_SGD's centre and period in epochs, how it passes 1/2 ("continuous", or "literal" as
  // printed), and whether it changes per "epoch" or per "iteration"
  double mu2 = 0.99, eta_rmsprop = 3e-4, beta_center = 10, beta_period = 5;
  std::string transition = "continuous", alpha_per = "epoch";
};

struct ScheduleOptions {
  std::string kind = "step";      // or poly, cosine, constant
  double rate = 0.1;              // the rate after warm-up
  int per_images = 0;             // linear scaling: rate x (global minibatch)/per_images; 0: rate is absolute
  bool allow_large_rate = false;  // with per_images: silences train/rate_check.h
  double warmup_epochs = 0;       // one of warmup_epochs and warmup_steps
  int64_t warmup_steps = 0;
  std::string warmup = "linear";               // or "quadratic", "constant" (at warmup_from)
  double warmup_from = 0.0;                    // absolute
  std::vector<double> milestones{30, 60, 80};  // step: epochs
  std::vector<double> factors{};               // step: of the rate, from the start and from each milestone on
  double factor = 0.1;                         // step, without factors: once more at each milestone
  double power = 2.0;                          // poly
  double end_rate = 0.0;                       // poly, cosine: absolute
  // poly, cosine: over the steps after warm-up, or "continued" from the current step (nvcaffe).
  std::string decay = "shifted";
};

// The format in which gradients are summed and sent (comm/wire.h; Akiba et al. 2017: fp16).
struct AllreduceOptions {
  std::string wire = "f32";  // or "fp16", "bf16": rounded at every edge of the fixed-order tree, added in f32
  double scale = 1.0;  // fp16, bf16: a power of two; multiplies gradients before, divides sums afterwards
};

// What activations and their gradients are held in (port/backend.h, Precision); weights, sums and the optimizer's
// arithmetic are f32 throughout. Backends refuse what their hardware does not have.
struct PrecisionOptions {
  std::string activations = "f32";  // or "tf32", "bf16", "fp16"
  // f32: "winograd" allows 3 x 3 convolutions in fewer products, with other rounding, where the backend has them (Lavin and Gray 2015).
  std::string convolutions = "direct";
  // Numbers below 1.2e-38, which f32 holds with less precision: "flush", CPUs take them for zero (base/denormals.h); "keep",
  // they compute with them, many times slower. bf16's instructions flush them always. A job with GPU ranks keeps them.
  std::string denormals = "flush";
  // fp16 (train/loss_scale.h): a power of two; 0: dynamic, doubled after growth_steps without an overflow.
  double loss_scale = 0;
  int64_t growth_steps = 2000;
};

struct Experiment {
  std::string name = "unnamed", description, source;
  std::string published_toml, published_json;  // what the authors got, as written; free keys
  NetworkOptions network;
  InputOptions data;
  MinibatchOptions minibatch;
  TrainOptions train;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  AllreduceOptions allreduce;
  PrecisionOptions precision;
  std::map<std::string, std::string> origins;  // "section.key" -> "job.toml:12" or "flag"; absent: default
};

// Workers whose minibatches batch norm takes together: k where network.bn_group = k b, else 1.
int workers_together(const Experiment& experiment);
// The minibatch as runs of a plan: W/k of k b images.
MinibatchOptions runs_of(const Experiment& experiment);

// The datasets as the Experiment needs to know them; src/cli fills it from data's Dataset.
struct DatasetFacts {
  std::string path, fingerprint;
  int64_t samples = 0;
  int classes = 0;
};

// resolved_toml()'s file in a run's folder. A key that it lacks is younger than it, and has Field::absent where it has one.
inline constexpr const char* resolved_name = "config.resolved.toml";

// Overrides are "section.key=value" with a TOML value; a bare word is a string. Exit::usage on anything wrong.
Experiment parse_experiment(const std::filesystem::path& file,
                            const std::vector<std::string>& overrides = {});
Experiment parse_experiment_text(std::string_view text, const std::string& file_name,
                                 const std::vector<std::string>& overrides = {});

// A job file again, every key that is read filled in, with where its value came from.
std::string resolved_toml(const Experiment& experiment);

// What the bits depend on, one "section.key = value" a line, and its 32-digit hash. Not in it: name,
// description, source, published, paths, train.evaluate_every, train.bucket_mib, keys that the chosen parts do
// not read, and what every run had before the key was (Field::absent): allreduce.wire = "f32", no train.weights, ...
std::string arithmetic(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out);
// "section.key = value there", "... here" of what differs; a key that one side leaves out as before it was, with that value.
std::vector<std::string> arithmetic_differences(const std::string& there, const std::string& here);
std::string hash(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out);

}  // namespace convoy

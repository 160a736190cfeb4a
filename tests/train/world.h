// What the cases of this rung share: the launched ranks, an experiment of 8 workers small enough for the reference backend
// to run hundreds of times, its images as functions of their index, and one call that trains.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/mpi.h"
#include "train/trainer.h"

namespace convoy::testing {

MpiCommunicator& world();  // alive while Catch runs

constexpr int64_t train_samples = 90, held_out_samples = 37;

// Convolutions, batch norms, a residual, pooling, dropout, a classifier of 4; of `options` the keys bn_* and dropout.
Graph tiny_graph(const NetworkOptions& options);
Experiment tiny_experiment();  // dropout 0.1, 8 workers x 4 images, 8 steps
DatasetFacts tiny_facts(bool training);

// Four classes that differ in a pattern under noise. Training: the endless stream of data/loader.h, unshuffled.
class TinyLoader final : public Loader {
 public:
  TinyLoader(bool training, int workers, int images)
      : training_(training), workers_(workers), images_(images) {}
  Batch next(int64_t step, int worker) override;
  int64_t samples() const override { return training_ ? train_samples : held_out_samples; }
  int classes() const override { return 4; }
  double waited_seconds() const override { return 0.0; }
  int64_t fail_at = -1;  // throws instead of giving this step's batches: a run that dies there

 private:
  bool training_;
  int workers_, images_;
  std::vector<float> pixels_[2];
  std::vector<int32_t> labels_[2];
  int slot_ = 0;
};

struct Run {
  Experiment experiment = tiny_experiment();
  PlacementOptions placement{.backends = {"reference"}};
  CheckpointPolicy checkpoints;  // .directory empty: none
  int threads = 1;
  Precision precision = Precision::f32;  // of the backend, whatever the experiment says
  int64_t dies_at = -1;
  Record* record = nullptr;
  const std::atomic<bool>* stop = nullptr;
  Deadline deadline;
  int64_t check_every = 0;
  HostCopies* copies = nullptr;  // of gradients that lie in the host's memory all the same
  // Puts something around the backend.
  std::function<std::unique_ptr<Backend>(std::unique_ptr<Backend>)> wrap;
};

// What a run told its record.
struct Notes final : Record {
  std::vector<StepRecord> steps;
  std::vector<EvaluationRecord> evaluations;
  FinalRecord last;
  void step(const StepRecord& record) override { steps.push_back(record); }
  void evaluation(const EvaluationRecord& record) override { evaluations.push_back(record); }
  void finish(const FinalRecord& record) override { last = record; }
};

Outcome train_on(Communicator& comm, const Run& run);
// The same on one rank without MPI, by rank 0 alone; the others get its digest.
std::string digest_alone(const Run& run);

// A folder that all ranks share, made and removed by rank 0.
class SharedFolder {
 public:
  SharedFolder();
  ~SharedFolder();
  const std::filesystem::path path;
};

}  // namespace convoy::testing

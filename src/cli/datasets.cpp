#include "cli/datasets.h"

#include "base/error.h"

namespace convoy::cli {
namespace {

DatasetFacts facts_of(const Dataset& dataset, const std::string& path) {
  return {path, dataset.fingerprint(), dataset.samples(), dataset.classes()};
}

}  // namespace

Sets open_sets(const Experiment& experiment, const std::string& train, const std::string& held_out,
               Communicator& comm, Presence presence) {
  Sets sets;
  const std::string train_path = train.empty() ? experiment.data.train.string() : train;
  const std::string held_path = held_out.empty() ? experiment.data.held_out.string() : held_out;
  require(!train_path.empty() || presence == Presence::optional, Exit::usage,
          "no training set is named: give --train FOLDER (written by `convoy pack`), or data.train in the "
          "job file");
  if (!train_path.empty()) {
    sets.training = std::make_shared<const Dataset>(Dataset::open(train_path, comm));
    sets.train = facts_of(*sets.training, train_path);
  } else {
    sets.assumed = true;
    sets.train = {"", "", imagenet_images, experiment.network.classes > 0 ? experiment.network.classes : 1000};
    if (held_path.empty()) sets.held_out = {"", "", 50000, sets.train.classes};
  }
  if (!held_path.empty()) {
    sets.evaluation = std::make_shared<const Dataset>(Dataset::open(held_path, comm));
    sets.held_out = facts_of(*sets.evaluation, held_path);
    if (sets.training) check_pair(*sets.training, *sets.evaluation);
  }
  return sets;
}

Transform transform_of(const InputOptions& input) {
  Transform transform;
  transform.train = input.train_crop == "center" ? "center" : input.train_crop + "-crop";
  transform.input = input.input;
  transform.resize = input.resize;
  transform.squash = input.squash;
  transform.mirror = input.mirror;
  transform.min_area = input.min_area;
  transform.max_area = input.max_area;
  transform.min_ratio = input.min_ratio;
  transform.max_ratio = input.max_ratio;
  transform.divisor = static_cast<float>(1.0 / input.scale);
  for (size_t c = 0; c < 3; ++c) {
    transform.mean[c] = static_cast<float>(input.mean[c]);
    transform.std[c] = static_cast<float>(input.std[c]);
  }
  transform.bgr = input.order == "bgr";
  check(transform);
  return transform;
}

std::vector<ClassName> names_of(const Dataset& dataset) {
  std::vector<ClassName> names;
  for (size_t i = 0; i < dataset.wnids().size(); ++i)
    names.push_back({dataset.wnids()[i], dataset.class_names()[i]});
  return names;
}

}  // namespace convoy::cli

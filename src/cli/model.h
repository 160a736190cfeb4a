// A trained network for the commands that use one without training: a run's folder, one checkpoint, or a safetensors file;
// with the network, input and class names that belong to it, taken from where they are recorded unless flags say
// otherwise. On one rank; nothing is asynchronous.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "net/graph.h"
#include "port/arena.h"
#include "train/class_names.h"
#include "train/experiment.h"

namespace convoy::cli {

struct ModelFlags {
  std::string source{};        // a run's folder, a checkpoint or a safetensors file
  std::string checkpoint{};    // of a run; default: the newest that is whole
  std::string model{}, job{};  // what the file is, where it does not say: "resnet50", or a job file
  std::string classes{};       // a table, or a packed set's folder
  std::vector<std::string> overrides{};
};

void add_model_flags(CLI::App& command, ModelFlags& flags);

struct Model {
  std::filesystem::path source;
  std::vector<std::filesystem::path> files;  // weights, the first that is whole is taken
  Experiment experiment;
  Graph graph;
  std::vector<ClassName>
      classes;  // by class index; shorter than the network's outputs, or empty, where not known
  std::string class_name(int index) const;  // "class 17" where not known
};

// `outputs`: as many classes as a set has, which need not be in the files then; 0: as the files say.
Model open_model(const ModelFlags& flags, int outputs = 0);

struct LoadedWeights {
  int64_t steps = 0;
  std::string hash;                   // of the experiment; "" if the file does not say
  std::vector<std::string> warnings;  // sentences
};
LoadedWeights load_weights(const Model& model, Arena& arena);

}  // namespace convoy::cli

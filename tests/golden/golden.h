// A golden file (written by dump.py from PyTorch in float64) and the numbers to start from. Weights, images and labels
// are functions of (name, index), evaluated here exactly as in counter.py. A tensor is compared by its L2 norm, three
// inner products with vectors of +-1, and four elements, which together notice any layout, sign or scale gone wrong.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "port/arena.h"
#include "port/batch.h"
#include "train/optimizer.h"

namespace convoy::golden {

constexpr uint64_t seed = 20170608;

struct Summary {
  double norm = 0;
  std::array<double, 3> products{};
  std::array<double, 4> elements{};
};

// `key` chooses the elements. T is float or double.
template <class T>
Summary summarize(const std::string& key, std::span<const T> values);

// The largest of: |norm difference|/norm, |product difference|/norm, |element difference|/max(|element|, norm/sqrt(n)).
double relative_error(const Summary& got, const Summary& expected, size_t elements);

// base + scale * u, u a multiple of 2^-19 in [-1, 1): exact in float.
template <class T>
void fill(std::span<T> values, const std::string& name, double base, double scale, int64_t step = 0);

struct Minibatch {
  std::vector<float> images;
  std::vector<int32_t> labels;
  Batch batch;
};

class File {
 public:
  explicit File(const std::string& name);  // "small-resnet18"
  Graph graph() const;
  int images() const { return json_.at("images"); }
  int steps() const { return json_.at("steps"); }
  double loss() const { return json_.at("losses")[0]; }
  // What PyTorch in float32 does by the same measure; 0 where the file does not have it.
  double float32_error(const std::string& heading) const {
    return json_.contains("float32") ? json_.at("float32").at(heading).get<double>() : 0.0;
  }
  const nlohmann::json& optimizers() const { return json_.at("optimizers"); }
  Summary first(const std::string& key) const { return summary(json_.at("first"), key); }
  static Summary summary(const nlohmann::json& table, const std::string& key);
  template <class T>
  void start(ArenaOf<T>& arena, const Graph& graph) const;  // weights and statistics at step 0
  Minibatch minibatch(int64_t step) const;
  // What parameter p has moved since start(), in double.
  template <class T>
  std::vector<double> moved(ArenaOf<T>& arena, const Graph& graph, size_t p) const;

 private:
  std::string network_;
  nlohmann::json json_;
};

// The program's own optimizer by the options that dump.py wrote down.
Optimizer optimizer_of(const nlohmann::json& options);

extern const std::array<const char*, 6> networks;

}  // namespace convoy::golden

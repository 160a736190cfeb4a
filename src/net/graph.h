// A network as a value: nodes in topological order, each with one output. A value's id is its node's id; node 0 is the
// Input. Parameters carry torchvision's names, so that weights travel. GraphBuilder infers shapes and throws on
// misfits, naming the node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/op.h"

namespace convoy {

struct Init {
  enum class Kind { constant, normal, uniform };
  Kind kind = Kind::constant;
  float value = 0.0f;  // the constant; the standard deviation; the bound of [-b, b)
};

enum class Role { weight, bias, norm_scale, norm_shift };  // optimizers decide on decay and adaptation by role

struct Param {
  std::string name;            // "layer1.0.conv1.weight"
  std::vector<int64_t> shape;  // OIHW, [out, in] or [channels]
  Role role = Role::weight;
  Init init;
  int64_t elements() const;
};

// One channel vector of a batch norm's running statistics; `keep` and `first_worker` as in BatchNorm. Initial value 0
// (mean) or 1 (variance).
struct Statistic {
  std::string name;  // "layer1.0.bn1.running_mean"
  int64_t channels = 0;
  float initial = 0.0f, keep = 0.9f;
  bool first_worker = false;
};

struct Node {
  std::string name;         // "layer1.0.conv1"
  Op op;
  std::vector<int> inputs;  // ids of earlier nodes
  Shape shape;              // of the output, one image
  std::vector<int> params;  // into Graph::params: {weight[, bias]} or {gamma, beta}
  std::vector<int> stats;   // into Graph::stats: {mean, variance} for a BatchNorm
};

struct Graph {
  std::string name;  // "resnet50-v1.5"
  std::vector<Node> nodes;
  std::vector<Param> params;
  std::vector<Statistic> stats;
  int64_t parameters() const;  // learnable elements
};

class GraphBuilder {
 public:
  GraphBuilder(std::string name, Shape input);
  // Every call returns the new node's id.
  int conv(const std::string& name, int src, Conv op, Init weight, Init bias = {});
  int batchnorm(const std::string& name, int src, BatchNorm op, float gamma = 1.0f);
  int relu(const std::string& name, int src);
  int add(const std::string& name, int a, int b);
  int pool(const std::string& name, int src, Pool op);
  int lrn(const std::string& name, int src, Lrn op);
  int linear(const std::string& name, int src, Linear op, Init weight, Init bias = {});
  int dropout(const std::string& name, int src, float p);
  int softmax_loss(const std::string& name, int src, float smoothing);
  const Shape& shape(int node) const { return graph_.nodes[static_cast<size_t>(node)].shape; }
  Graph finish();

 private:
  const Shape& input_of(const std::string& name, int src) const;  // refuses a node that is not there
  int push(std::string name, Op op, std::vector<int> inputs, Shape shape);
  int param(std::string name, std::vector<int64_t> shape, Role role, Init init);
  Graph graph_;
};

}  // namespace convoy

// Writes one library operation as a graph of cudnn-frontend's, and remembers where each of its tensors lies when it runs.
// Included by graphs.cpp alone: the one translation unit that sees the frontend.
#pragma once

#include <cudnn_frontend.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/cudnn/adding_dgrad.h"
#include "backends/cudnn/operands.h"
#include "base/error.h"

namespace convoy::cudnn {

using fused::ConvBackwardData;
using fused::ConvBackwardNorm;
using fused::ConvBackwardWeights;
using fused::ConvForward;
using fused::ConvStatistics;
using fused::Id;
using fused::NormBackward;
using fused::NormForward;
using fused::Tensor;

constexpr size_t alignment = 256;
inline size_t aligned(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

class Graph : public fe::graph::Graph {
 public:
  using fe::graph::Graph::operation_graph;
  std::optional<AddingDgrad> by_hand;  // instead of nodes: what the frontend has none for

  fe::error_t build(cudnnHandle_t handle) {
    if (by_hand) return by_hand->build(handle, operation_graph);
    const fe::error_t status = validate();
    return status.is_bad() ? status : build_operation_graph(handle);
  }
};

struct Port {  // where the tensor with the id 1, 2, ... of a graph lies when it runs
  enum class Where { tensor, constants, scratch, host };
  Where where;
  Id id = -1;
  size_t offset = 0;  // bytes
  float value = 0;    // Where::host
};

struct Layout {
  std::vector<Port> ports;
  std::vector<float> constants;
  size_t scratch_bytes = 0;
};

using Attributes = fe::graph::Tensor_attributes;
using Node = std::shared_ptr<Attributes>;

// Writes one operation as a graph.
class Mapper {
 public:
  explicit Mapper(std::span<const Tensor> tensors) : graph(std::make_shared<Graph>()), tensors_(tensors) {
    graph->set_intermediate_data_type(fe::DataType_t::FLOAT).set_compute_data_type(fe::DataType_t::FLOAT);
  }

  void operator()(const ConvForward& o) {
    const ConvShape s = conv_shape(o.conv, at(o.x), at(o.w), at(o.y));
    const Node x = input(o.x, s.x), w = input(o.w, s.w);  // numbered in this order, whatever the compiler
    Node value = graph->conv_fprop(x, w, window<fe::graph::Conv_fprop_attributes>(s.conv));
    if (o.scale >= 0) value = apply(fe::PointwiseMode_t::MUL, value, input(o.scale));
    if (o.shift >= 0) value = apply(fe::PointwiseMode_t::ADD, value, input(o.shift));
    if (o.addend >= 0) value = apply(fe::PointwiseMode_t::ADD, value, input(o.addend));
    if (o.relu) value = relu(value);
    output(value, o.y, s.y);
  }

  void operator()(const ConvBackwardData& o) {
    const ConvShape s = conv_shape(o.conv, at(o.dx), at(o.w), at(o.dy));
    if (o.adds) {
      const auto id = [&](Id tensor) { return port({Port::Where::tensor, tensor}); };
      const int64_t dy = id(o.dy), w = id(o.w), dx = id(o.dx);
      graph->by_hand.emplace(AddingDgrad{s, dy, w, dx});
      return;
    }
    const Node dy = input(o.dy, s.y), w = input(o.w, s.w);
    output(graph->conv_dgrad(dy, w, window<fe::graph::Conv_dgrad_attributes>(s.conv)), o.dx, s.x);
  }

  void operator()(const ConvBackwardWeights& o) {
    const ConvShape s = conv_shape(o.conv, at(o.x), at(o.dw), at(o.dy));
    const Node dy = input(o.dy, s.y), x = main_loop_input(input(o.x, s.x), o.scale, o.shift);
    output(graph->conv_wgrad(dy, x, window<fe::graph::Conv_wgrad_attributes>(s.conv)), o.dw, s.w);
  }

  // Main-loop fusion: mapper_mainloop.h.
  void operator()(const ConvStatistics& o);
  void operator()(const ConvBackwardNorm& o);

  // Running statistics that take all of the new and none of the old are the minibatch's own: cuDNN's running mean and its
  // running variance by n - 1. What they were is read all the same, and must be finite: zeros.
  void operator()(const NormForward& o) {
    const Slice x = slice_of(at(o.x), o.first, o.count), y = slice_of(at(o.y), o.first, o.count);
    const int channels = x.tensor.c;
    Node epsilon = scalar(o.epsilon), factor = scalar(1), zero_mean = constant(0, channels),
         zero_variance = constant(0, channels);
    fe::graph::Batchnorm_attributes attributes;
    attributes.set_epsilon(epsilon).set_previous_running_stats(zero_mean, zero_variance, factor);
    const Node scale = o.scale >= 0 ? input(o.scale) : constant(1, channels);
    const Node shift = o.shift >= 0 ? input(o.shift) : constant(0, channels);
    auto [value, mean, inv_std, running_mean, running_variance] =
        graph->batchnorm(input(o.x, x.tensor, x.offset), scale, shift, attributes);
    output(mean, o.mean);
    output(inv_std, o.inv_std);
    sink(running_mean, channels);  // the same as `mean`
    output(running_variance, o.variance);
    if (o.addend >= 0) {
      const Slice addend = slice_of(at(o.addend), o.first, o.count);
      value = apply(fe::PointwiseMode_t::ADD, value, input(o.addend, addend.tensor, addend.offset));
    }
    if (o.mask >= 0) {
      const Slice mask = slice_of(at(o.mask), o.first, o.count);
      value = relu(value);
      output(apply(fe::PointwiseMode_t::CMP_GT, value, scalar(0)), o.mask, mask.tensor, mask.offset);
    }
    output(value, o.y, y.tensor, y.offset);
  }

  void operator()(const NormBackward& o) {
    const Slice x = slice_of(at(o.x), o.first, o.count), dx = slice_of(at(o.dx), o.first, o.count);
    const Slice dy = slice_of(at(o.dy), o.first, o.count);
    const int channels = x.tensor.c;
    Node gradient = input(o.dy, dy.tensor, dy.offset);
    if (o.mask >= 0) {
      const Slice mask = slice_of(at(o.mask), o.first, o.count);
      gradient = apply(fe::PointwiseMode_t::MUL, gradient, input(o.mask, mask.tensor, mask.offset));
      gradient->set_data_type(type_of(dx.tensor.type));
    }
    if (o.d_addend >= 0) {
      ensure(o.mask >= 0);  // else it is dy itself
      const Slice d_addend = slice_of(at(o.d_addend), o.first, o.count);
      output(gradient, o.d_addend, d_addend.tensor, d_addend.offset);
    }
    fe::graph::Batchnorm_backward_attributes attributes;
    attributes.set_saved_mean_and_inv_variance(input(o.mean), input(o.inv_std));
    const Node scale = o.scale >= 0 ? input(o.scale) : constant(1, channels);
    auto [value, dscale, dshift] =
        graph->batchnorm_backward(gradient, input(o.x, x.tensor, x.offset), scale, attributes);
    output(value, o.dx, dx.tensor, dx.offset);
    if (o.dscale >= 0)
      output(dscale, o.dscale);
    else
      sink(dscale, channels);
    if (o.dshift >= 0)
      output(dshift, o.dshift);
    else
      sink(dshift, channels);
  }

  template <class Own>
  void operator()(const Own&) {
    fail(
        "internal error: an operation of convoy's own reached cuDNN: please report it with the command you ran");
  }

  std::shared_ptr<Graph> graph;
  Layout layout;

 private:
  struct Norm {
    Node x, mean, inv_std, scale, value;
  };
  Node main_loop_input(const Node& x, Id scale, Id shift);
  Norm normalized(const fused::Normalized& norm);
  void norm_sums(const Node& g, const Norm& norm, Id dscale, Id dshift);

  const Tensor& at(Id id) const { return tensors_[static_cast<size_t>(id)]; }

  int64_t port(Port p) {
    layout.ports.push_back(p);
    return static_cast<int64_t>(layout.ports.size());
  }
  // cuDNN counts N C H W whatever the order in memory: NHWC is a matter of strides.
  static Attributes& shape(Attributes& to, const Tensor& t) {
    const int64_t h = t.h, w = t.w, c = t.c;
    return to.set_dim({t.n, c, h, w}).set_stride({h * w * c, 1, w * c, c}).set_data_type(type_of(t.type));
  }
  Node input(Id id) { return input(id, at(id)); }
  Node input(Id id, const Tensor& seen_as, size_t offset = 0) {
    Attributes a;
    return graph->tensor(shape(a, seen_as).set_uid(port({Port::Where::tensor, id, offset})));
  }
  void output(const Node& node, Id id) { output(node, id, at(id)); }
  void output(const Node& node, Id id, const Tensor& seen_as, size_t offset = 0) {
    shape(*node, seen_as).set_output(true).set_uid(port({Port::Where::tensor, id, offset}));
  }
  static Tensor vector(int channels) {
    Tensor t;
    t.c = t.channels = channels;
    return t;
  }
  Node constant(float value, int channels) {
    const size_t offset = layout.constants.size() * sizeof(float);
    layout.constants.resize(
        layout.constants.size() + aligned(static_cast<size_t>(channels) * sizeof(float)) / sizeof(float),
        value);
    Attributes a;
    return graph->tensor(shape(a, vector(channels)).set_uid(port({Port::Where::constants, -1, offset})));
  }
  void sink(const Node& node, int channels) {
    shape(*node, vector(channels))
        .set_output(true)
        .set_uid(port({Port::Where::scratch, -1, layout.scratch_bytes}));
    layout.scratch_bytes += aligned(static_cast<size_t>(channels) * sizeof(float));
  }
  Node scalar(float value) {
    return graph->tensor(Attributes(value).set_uid(port({Port::Where::host, -1, 0, value})));
  }
  Node apply(fe::PointwiseMode_t mode, const Node& a, const Node& b) {
    return graph->pointwise(a, b, fe::graph::Pointwise_attributes().set_mode(mode));
  }
  Node relu(const Node& a) {
    return graph->pointwise(a, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
  }
  template <class Window>
  static Window window(const Conv& c) {
    Window made;
    made.set_padding({c.padding.height, c.padding.width})
        .set_stride({c.stride.height, c.stride.width})
        .set_dilation({1, 1});
    return made;
  }

  std::span<const Tensor> tensors_;
};

}  // namespace convoy::cudnn

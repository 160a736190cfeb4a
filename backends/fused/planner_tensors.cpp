#include <algorithm>

#include "backends/fused/planner.h"

namespace convoy::fused {
namespace {

constexpr int image_channels = 4;  // what the libraries' first convolutions want, whatever the others do

bool is_product(const Node& node) {
  return std::holds_alternative<Conv>(node.op) || std::holds_alternative<Linear>(node.op);
}

}  // namespace

Id Planner::add(Tensor tensor) {
  recipe_.tensors.push_back(std::move(tensor));
  return static_cast<Id>(recipe_.tensors.size()) - 1;
}

Id Planner::map(int id, const std::string& name, Type type) {
  const Shape& shape = node(id).shape;
  const auto& readers = readers_[static_cast<size_t>(id)];
  const bool images = id == 0 && std::ranges::all_of(readers, [&](int r) { return is_product(node(r)); });
  const int unit = images ? std::min(align_, image_channels) : align_;
  return add({.name = name,
              .type = type,
              .n = program_.images,
              .h = shape.height,
              .w = shape.width,
              .c = (shape.channels + unit - 1) / unit * unit,
              .channels = shape.channels});
}

Id Planner::map(int id, const std::string& name) { return map(id, name, type_); }

Id Planner::vector(int id, const std::string& name, Tensor::Home home) {
  const int channels = node(id).shape.channels;
  return add({.name = name, .c = padded(channels), .channels = channels, .home = home});
}

Id Planner::vector(int id, const std::string& name, Type type) {
  const Id made = vector(id, name);
  recipe_.tensors[static_cast<size_t>(made)].type = type;
  return made;
}

Id Planner::like(Id other, const std::string& name) {
  Tensor copy = tensor(other);
  copy.name = name;
  copy.home = Tensor::Home::planned;
  return add(std::move(copy));
}

Id Planner::arena_vector(const std::string& name, std::span<float> memory) {
  const int count = static_cast<int>(memory.size());
  return add(
      {.name = name, .c = count, .channels = count, .home = Tensor::Home::arena, .address = memory.data()});
}

Id Planner::param_vector(int index, int channels) {
  const Id home = param(index);
  if (tensor(home).c == channels) return home;
  const Id copy = add({.name = param_name(index),
                       .c = channels,
                       .channels = tensor(home).c,
                       .home = Tensor::Home::persistent});
  refresh(PackWeights{home, copy});
  return copy;
}

void Planner::add_batch_tensors() {
  const auto given = [&](const char* name, const Shape& shape) {
    return add({.name = name,
                .n = program_.images,
                .h = shape.height,
                .w = shape.width,
                .c = shape.channels,
                .channels = shape.channels,
                .home = Tensor::Home::batch});
  };
  const Node& last = program_.graph.nodes.back();
  recipe_.images = given("images", node(0).shape);
  if (std::holds_alternative<SoftmaxLoss>(last.op)) {
    recipe_.labels = add({.name = "labels",
                          .type = Type::i32,
                          .c = program_.images,
                          .channels = program_.images,
                          .home = Tensor::Home::batch});
    recipe_.totals =
        add({.name = "totals", .type = Type::i32, .c = 10, .channels = 10, .home = Tensor::Home::batch});
  } else if (training()) {
    recipe_.top_gradient = given("top gradient", last.shape);
  }
}

}  // namespace convoy::fused

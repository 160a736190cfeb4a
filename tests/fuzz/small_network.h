// A network of every kind of tensor, in 600 floats, for files of weights that are small enough to try every byte.
#pragma once

#include "net/program.h"
#include "port/arena.h"

namespace convoy::fuzz {

inline Graph small_graph() {
  GraphBuilder builder("small", {2, 4, 4});
  int x = builder.conv("conv1", 0, {.outputs = 3, .kernel = {3, 3}, .stride = {1, 1}},
                       {Init::Kind::normal, 0.1f});
  x = builder.batchnorm("bn1", x, {});
  x = builder.linear("fc", x, {.outputs = 5}, {Init::Kind::normal, 0.1f});
  builder.softmax_loss("loss", x, 0.0f);
  return builder.finish();
}

struct SmallNetwork {
  Graph graph = small_graph();
  Arena arena{graph, lower(graph, 2).layout, 1};
  SmallNetwork() {
    arena.initialize(1);
    for (size_t i = 0; i < arena.state(0).size(); ++i) arena.state(0)[i] = static_cast<float>(i) * 0.5f;
  }
};

}  // namespace convoy::fuzz

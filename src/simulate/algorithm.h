// Allreduces that the fixed-order tree is held against, over any Communicator: what the papers' libraries did. In place,
// collective, any rank count unless said; ranks are numbered node by node. They run one after another, so that a phase
// begins on a rank when its last has ended. Scratch: as many elements as values.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "port/communicator.h"

namespace convoy::simulate {

enum class Algorithm {
  tree,          // convoy's own: comm/tree.h, nearest rank first; 2^k ranks
  far,           // recursive halving and doubling, the farthest rank first, as libraries do
  ring,          // over all ranks: 2 (P-1) messages of 1/P each
  leaders,       // sum onto one rank a node, halving and doubling among these, back (Gloo, Goyal et al. 2017)
  leaders_ring,  // the same with a ring among the leaders
  grid,  // 2-D: reduce-scatter in the node, a ring over the nodes for each part, allgather in the node
};
struct NamedAlgorithm {
  Algorithm algorithm;
  const char *name, *meaning;
};
const std::vector<NamedAlgorithm>& algorithms();
Algorithm algorithm_of(const std::string& name);  // Exit::usage
const char* name_of(Algorithm algorithm);

struct Nodes {
  int ranks_per_node = 1;
  std::function<void(size_t bytes)> worked{};  // told of the bytes that additions read and write
};

// Any but Algorithm::tree. Where halving and doubling meets a count that is no power of two, the ranks above it first
// give all they have to one below, and get the sum at the end.
void allreduce(Algorithm algorithm, Communicator& communicator, std::span<float> values,
               std::span<float> scratch, const Nodes& nodes);

}  // namespace convoy::simulate

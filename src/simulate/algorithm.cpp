#include "simulate/algorithm.h"

#include <bit>

#include "base/error.h"
#include "base/text.h"
#include "simulate/group.h"

namespace convoy::simulate {
namespace {

using Floats = std::span<float>;

Floats chunk(Floats values, int parts, int index) {
  const auto at = [&](int i) { return values.size() * static_cast<size_t>(i) / static_cast<size_t>(parts); };
  return values.subspan(at(index), at(index + 1) - at(index));
}

void add(Floats to, std::span<const float> from, const Nodes& nodes) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  if (nodes.worked) nodes.worked(3 * to.size_bytes());
}

// Sends to the right what comes next, takes from the left; afterwards member i holds the sum of chunk i.
void ring_reduce_scatter(Group& group, Floats values, Floats scratch, const Nodes& nodes) {
  const int n = group.size(), me = group.rank();
  for (int step = 1; step < n; ++step) {
    const Floats mine = chunk(values, n, (me - step + n) % n);
    const Floats theirs = chunk(values, n, (me - step - 1 + 2 * n) % n), into = scratch.first(theirs.size());
    group.shift((me + 1) % n, mine, (me - 1 + n) % n, into);
    add(theirs, into, nodes);
  }
}

void ring_allgather(Group& group, Floats values) {
  const int n = group.size(), me = group.rank();
  for (int step = 0; step + 1 < n; ++step)
    group.shift((me + 1) % n, chunk(values, n, (me - step + n) % n), (me - 1 + n) % n,
                chunk(values, n, (me - step - 1 + n) % n));
}

void ring(Group& group, Floats values, Floats scratch, const Nodes& nodes) {
  ring_reduce_scatter(group, values, scratch, nodes);
  ring_allgather(group, values);
}

// The tree of comm/tree.h over 2^k members; `far`: renumbered so that the farthest comes first.
void halve_and_double(Group& group, Floats values, Floats scratch, const Nodes& nodes, bool far) {
  const int n = group.size(), me = group.rank();
  const int inner = static_cast<int>(std::bit_floor(static_cast<unsigned>(n))), extra = n - inner;
  if (me >= inner) {
    group.send(me - inner, values);
    group.receive(me - inner, values);
    return;
  }
  if (me < extra) {
    const Floats theirs = scratch.first(values.size());
    group.receive(me + inner, theirs);
    add(values, theirs, nodes);
  }
  Group members = group.first(inner, far);
  tree_sum(members, values, scratch, [&](Communicator::Pending& message, const TreeStep& step) {
    message.wait();
    if (nodes.worked && 2 * step.step <= step.steps) nodes.worked(3 * step.bytes);
  });
  if (me < extra) group.send(me + inner, values);
}

// The node's sum on its first rank, and from there to all: by parts, so that every rank adds and sends its share.
void over_leaders(Communicator& all, Floats values, Floats scratch, const Nodes& nodes, bool with_ring) {
  const int g = nodes.ranks_per_node, first = all.rank() / g * g;
  Group node(all, first, 1, g);
  ring_reduce_scatter(node, values, scratch, nodes);
  if (node.rank() != 0) {
    node.send(0, chunk(values, g, node.rank()));
    node.receive(0, chunk(values, g, node.rank()));
  } else {
    for (int r = 1; r < g; ++r) node.receive(r, chunk(values, g, r));
    Group leaders(all, 0, g, all.size() / g);
    if (with_ring)
      ring(leaders, values, scratch, nodes);
    else
      halve_and_double(leaders, values, scratch, nodes, false);
    for (int r = 1; r < g; ++r) node.send(r, chunk(values, g, r));
  }
  ring_allgather(node, values);
}

void over_grid(Communicator& all, Floats values, Floats scratch, const Nodes& nodes) {
  const int g = nodes.ranks_per_node, first = all.rank() / g * g;
  Group node(all, first, 1, g), across(all, all.rank() % g, g, all.size() / g);
  ring_reduce_scatter(node, values, scratch, nodes);
  ring(across, chunk(values, g, node.rank()), scratch, nodes);
  ring_allgather(node, values);
}

}  // namespace

const std::vector<NamedAlgorithm>& algorithms() {
  static const std::vector<NamedAlgorithm> all{
      {Algorithm::tree, "tree", "convoy's fixed-order tree, nearest rank first"},
      {Algorithm::far, "far", "halving and doubling, farthest rank first"},
      {Algorithm::ring, "ring", "one ring over all ranks"},
      {Algorithm::leaders, "leaders", "one rank a node, halving and doubling among these"},
      {Algorithm::leaders_ring, "leaders-ring", "one rank a node, a ring among these"},
      {Algorithm::grid, "grid", "2-D: reduce-scatter in the node, rings over the nodes"}};
  return all;
}

Algorithm algorithm_of(const std::string& name) {
  std::vector<std::string> names;
  for (const NamedAlgorithm& one : algorithms()) {
    if (name == one.name) return one.algorithm;
    names.emplace_back(one.name);
  }
  const std::string meant = nearest(name, names);
  fail(Exit::usage, "there is no allreduce \"{}\"{}: choose one of {}", name,
       meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant), fmt::join(names, ", "));
}

const char* name_of(Algorithm algorithm) {
  for (const NamedAlgorithm& one : algorithms())
    if (one.algorithm == algorithm) return one.name;
  return "";
}

void allreduce(Algorithm algorithm, Communicator& communicator, Floats values, Floats scratch,
               const Nodes& nodes) {
  if (communicator.size() == 1) return;
  ensure(scratch.size() >= values.size());
  Nodes these = nodes;
  if (communicator.size() % nodes.ranks_per_node != 0 || communicator.size() <= nodes.ranks_per_node)
    these.ranks_per_node = communicator.size() <= nodes.ranks_per_node ? communicator.size() : 1;
  Group all(communicator, 0, 1, communicator.size());
  switch (algorithm) {
    case Algorithm::tree:
    case Algorithm::far:
      return halve_and_double(all, values, scratch, these, algorithm == Algorithm::far);
    case Algorithm::ring:
      return ring(all, values, scratch, these);
    case Algorithm::leaders:
      return over_leaders(communicator, values, scratch, these, false);
    case Algorithm::leaders_ring:
      return over_leaders(communicator, values, scratch, these, true);
    case Algorithm::grid:
      return over_grid(communicator, values, scratch, these);
  }
}

}  // namespace convoy::simulate

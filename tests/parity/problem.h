// One operation with its shapes, as one line of text:
//   conv n2 c64 56x56 o64 k3x3 s1x1 p1x1 g1 [bias]         maxpool n2 c64 112x112 k3x3 s2x2 p1x1
//   linear n2 c256 6x6 o4096 [bias]                        avgpool n2 c2048 7x7 k7x7 s7x7 p0x0
//   batchnorm n4 c64 56x56 [affine] [group2]               lrn n1 c96 55x55 size5
//   add n2 c256 56x56        relu n2 c64 112x112           loss n8 c1000 [smooth]        dropout n2 c256 6x6
// n is the test's number of images, and no part of the shape. Lines beginning with # are comments.
#pragma once

#include <string>
#include <vector>

#include "net/program.h"

namespace convoy::parity {

struct Problem {
  Op op;
  int images = 1;
  Shape src;
  bool operator==(const Problem& other) const { return text() == other.text(); }
  std::string text() const;   // the line
  std::string shape() const;  // the line without n
};

Problem parse(const std::string& line);
std::vector<Problem> read_problems(const std::string& file);
// Of every node, in order, repetitions included.
std::vector<Problem> problems_of(const Graph& graph, int images);

// A graph of this operation alone between an input and the caller's top gradient. The second operand of Add is the
// input again, by way of a pooling of 1x1. behind_conv: a convolution of 1x1 before it, parameter 0, which makes layout and
// type of what it reads the backend's own.
Graph graph_of(const Problem& problem, bool behind_conv = false);

// Does f32 arithmetic on small integers leave no room for rounding?
bool exact(const Problem& problem);

}  // namespace convoy::parity

// lower(): a Graph becomes a Program once; every backend compiles the same Program. It fixes the order of the forward
// and backward steps, when each value is last needed, where each parameter lies in the flat arena, and the gradient
// buckets with the step after which each is complete. It knows nothing of backends, layouts, threads or ranks.
//
// The flat layout (elements of f32): parameters in the order in which the backward pass completes their gradients (last
// layer first), each segment aligned to 16 elements (64 bytes), cut into buckets of about bucket_bytes; the running
// statistics of all batch norms follow at the tail of the last bucket, so that they ride with its allreduce.
// Layout depends on (graph, bucket_bytes) alone: training and evaluation Programs share one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/graph.h"

namespace convoy {

enum class Mode { training, inference };
enum class Pass : uint8_t { forward, backward };

struct Step {
  Pass pass;
  int node;
};

struct LiveRange {  // inclusive indices into Program::steps; {-1, -1} if the value never exists
  int first = -1, last = -1;
};

struct Segment {
  enum class Kind { parameter, statistic };
  Kind kind;
  int index;              // into Graph::params or Graph::stats
  int64_t offset, count;  // elements in the flat arena; padding up to the next segment is zero
  int bucket;
};

struct Bucket {
  int64_t begin, end;  // elements [begin, end) of the flat arena, contiguous and ascending
  int ready_step;      // complete when this step of the training Program has run
};

struct Layout {
  std::vector<Segment> segments;       // ascending offset
  std::vector<Bucket> buckets;         // ascending offset and ready_step
  std::vector<int64_t> param_offset;   // by Graph::params index
  std::vector<int64_t> stat_offset;    // by Graph::stats index
  int64_t elements = 0;                // of the whole flat arena, padding included
};
int64_t first_statistic(const Layout& layout);  // statistics are the tail of the flat memory

struct Program {
  Graph graph;
  int images = 0;  // b, frozen
  Mode mode = Mode::training;
  bool input_gradient = false;          // also compute d loss / d images (parity tests)
  std::vector<Step> steps;              // forward of all nodes, then backward in reverse where something needs it
  std::vector<LiveRange> values;        // by node: from its forward step to its last reader, backward readers included
  std::vector<LiveRange> gradients;     // by node: gradient of its output
  Layout layout;
};

struct LowerOptions {
  Mode mode = Mode::training;
  size_t bucket_bytes = size_t{8} << 20;
  bool input_gradient = false;
};

Program lower(const Graph& graph, int images, const LowerOptions& options = {});

// Images whose statistics a batch norm of this Program takes together: its group, or all in inference and without one.
int images_of(const Program& program, const BatchNorm& norm);

// Which of its neighbours a backward step reads, by definition of the operation (not by a backend's implementation).
bool backward_reads_input(const Op& op);
bool backward_reads_output(const Op& op);

}  // namespace convoy

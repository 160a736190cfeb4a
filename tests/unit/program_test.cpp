#include <catch2/catch.hpp>
#include <utility>

#include "net/alexnet.h"
#include "net/program.h"
#include "net/resnet.h"

namespace convoy {
namespace {

// input -> conv -> bn -> relu -> pool -+-> add -> fc -> loss
//                                 \-> side -/
Graph diamond() {
  GraphBuilder build("diamond", {3, 8, 8});
  int x = build.conv("conv", 0, {4, {3, 3}, {1, 1}, {1, 1}, 1, true}, {});
  x = build.batchnorm("bn", x, {});
  x = build.relu("relu", x);
  const int side = build.conv("side", x, {4, {1, 1}, {2, 2}, {0, 0}, 1, false}, {});
  x = build.pool("pool", x, {Pool::Kind::max, {2, 2}, {2, 2}, {0, 0}});
  x = build.add("add", x, side);
  x = build.linear("fc", x, {5, true}, {});
  build.softmax_loss("loss", x, 0.0f);
  return build.finish();
}

std::pair<int, int> ends(LiveRange range) { return {range.first, range.last}; }

}  // namespace

TEST_CASE("lower: steps go forward, then back, and only where a gradient is needed") {
  const Program program = lower(diamond(), 2);
  REQUIRE(program.steps.size() == 17);  // 9 forward, 8 backward: the input needs none
  for (int s = 0; s < 9; ++s) {
    CHECK(program.steps[static_cast<size_t>(s)].pass == Pass::forward);
    CHECK(program.steps[static_cast<size_t>(s)].node == s);
  }
  for (int s = 9; s < 17; ++s) CHECK(program.steps[static_cast<size_t>(s)].node == 17 - s);
  CHECK(lower(diamond(), 2, {.mode = Mode::inference}).steps.size() == 9);
}

TEST_CASE("lower: values live until their last reader") {
  const Program p = lower(diamond(), 2);
  // nodes: 0 input 1 conv 2 bn 3 relu 4 side 5 pool 6 add 7 fc 8 loss; backward of n is step 17-n
  CHECK(ends(p.values[0]) == std::pair(0, 16));  // conv's weight gradient
  CHECK(ends(p.values[1]) == std::pair(1, 15));  // bn's backward
  CHECK(ends(p.values[2]) == std::pair(2, 3));   // relu's forward only: its backward reads relu's own output
  CHECK(ends(p.values[3]) == std::pair(3, 14));  // relu itself
  CHECK(ends(p.values[4]) == std::pair(4, 6));
  CHECK(ends(p.values[6]) == std::pair(6, 10));
  CHECK(ends(p.gradients[0]) == std::pair(-1, -1));
  CHECK(ends(p.gradients[3]) == std::pair(12, 14));  // written by pool and side, read by relu
  CHECK(ends(p.gradients[7]) == std::pair(9, 10));
  CHECK(ends(p.gradients[8]) == std::pair(-1, -1));  // d loss / d loss is nowhere stored
  const Program probed = lower(diamond(), 2, {.input_gradient = true});
  CHECK(ends(probed.gradients[0]) == std::pair(16, 16));
}

TEST_CASE("lower: a node without parameters gets a backward step where the input's gradient is asked for") {
  GraphBuilder build("pool", {3, 8, 8});
  build.pool("pool", 0, {Pool::Kind::average, {2, 2}, {2, 2}, {0, 0}});
  const Graph graph = build.finish();
  CHECK(lower(graph, 1).steps.size() == 2);
  CHECK(lower(graph, 1, {.input_gradient = true}).steps.size() == 3);
  CHECK(lower(graph, 1).layout.elements == 0);
  CHECK(lower(graph, 1).layout.buckets.empty());
}

TEST_CASE("lower: buckets cover the arena in the order of the backward pass") {
  for (size_t bucket_bytes : {size_t{1}, size_t{1} << 20, size_t{8} << 20, size_t{1} << 40}) {
    const Program program = lower(resnet({}), 1, {.bucket_bytes = bucket_bytes});
    const Layout& layout = program.layout;
    int64_t end = 0;
    int ready = -1;
    for (const Bucket& bucket : layout.buckets) {
      CHECK(bucket.begin == end);
      CHECK(bucket.end > bucket.begin);
      CHECK(bucket.ready_step >= ready);
      end = bucket.end;
      ready = bucket.ready_step;
    }
    CHECK(end == layout.elements);
    CHECK(ready < static_cast<int>(program.steps.size()));
    REQUIRE(layout.segments.size() == program.graph.params.size() + program.graph.stats.size());
    int64_t offset = 0;
    for (const Segment& segment : layout.segments) {
      CHECK(segment.offset == offset);
      CHECK(segment.offset % 16 == 0);
      offset += (segment.count + 15) / 16 * 16;
      const bool parameter = segment.kind == Segment::Kind::parameter;
      const auto& by_index = parameter ? layout.param_offset : layout.stat_offset;
      CHECK(by_index[static_cast<size_t>(segment.index)] == segment.offset);
      const Bucket& bucket = layout.buckets[static_cast<size_t>(segment.bucket)];
      CHECK(segment.offset >= bucket.begin);
      CHECK(segment.offset + segment.count <= bucket.end);
      if (!parameter) CHECK(segment.bucket == static_cast<int>(layout.buckets.size()) - 1);
    }
    CHECK(program.graph.params[static_cast<size_t>(layout.segments[0].index)].name == "fc.weight");
  }
}

TEST_CASE("lower: a bucket is ready exactly when its last parameter's node has run backward") {
  const Program program = lower(resnet({}), 1);
  std::vector<int> expected(program.layout.buckets.size(), -1);
  for (size_t s = 0; s < program.steps.size(); ++s) {
    if (program.steps[s].pass == Pass::forward) continue;
    for (int p : program.graph.nodes[static_cast<size_t>(program.steps[s].node)].params)
      for (const Segment& segment : program.layout.segments)
        if (segment.kind == Segment::Kind::parameter && segment.index == p)
          expected[static_cast<size_t>(segment.bucket)] = static_cast<int>(s);
  }
  for (size_t b = 0; b < expected.size(); ++b) CHECK(program.layout.buckets[b].ready_step == expected[b]);
  CHECK(expected.size() == 15);
}

TEST_CASE("lower: batch norm over a single value is refused, but only in training") {
  GraphBuilder build("norm", {3, 1, 1});
  build.batchnorm("lonely", 0, {});
  const Graph graph = build.finish();
  CHECK_THROWS_WITH(lower(graph, 1), Catch::Contains("lonely"));
  CHECK(lower(graph, 2).images == 2);
  CHECK(lower(graph, 1, {.mode = Mode::inference}).images == 1);
}

TEST_CASE("lower: training and evaluation share one layout, whatever the minibatch") {
  const Graph graph = alexnet({});
  const Layout training = lower(graph, 32).layout,
               evaluation = lower(graph, 7, {.mode = Mode::inference}).layout;
  CHECK(training.elements == evaluation.elements);
  CHECK(training.param_offset == evaluation.param_offset);
  CHECK(training.buckets.size() == evaluation.buckets.size());
}

}  // namespace convoy

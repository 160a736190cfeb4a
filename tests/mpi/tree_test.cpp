// comm/tree against the definition of the canonical tree, with zero tolerance.
#include "comm/tree.h"

#include <bit>
#include <catch2/catch.hpp>

#include "comm/ladder.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;

namespace {

void wait(Communicator::Pending& message, const TreeStep&) { message.wait(); }

std::vector<float> gradient_of(int worker, size_t elements) {
  std::vector<float> values(elements);
  for (size_t i = 0; i < elements; ++i) values[i] = gradient(0, worker, i);
  return values;
}

std::vector<float> expected_sum(int workers, size_t elements) {
  std::vector<float> sum(elements);
  for (size_t i = 0; i < elements; ++i)
    sum[i] = tree_of([&](int worker) { return gradient(0, worker, i); }, 0, workers);
  return sum;
}

}  // namespace

TEST_CASE("tree: the balanced binary tree over ranks, for every length") {
  if (!std::has_single_bit(static_cast<unsigned>(world().size()))) {
    if (world().rank() == 0) WARN("skipped: " << world().size() << " ranks are no power of two");
    return;
  }
  // The second communicator cuts its messages at 1000 elements, as INT_MAX would cut longer ones.
  MpiCommunicator cutting(1000);
  for (const size_t elements : {0, 1, 2, 3, 5, 7, 8, 9, 31, 1000, 1001, 4097, 50001}) {
    for (Communicator* ranks : {static_cast<Communicator*>(&world()), static_cast<Communicator*>(&cutting)}) {
      std::vector<float> values = gradient_of(ranks->rank(), elements),
                         scratch(tree_scratch(elements, ranks->size()));
      tree_sum(*ranks, values, scratch, wait);
      INFO(elements << " elements");
      CHECK(same_bits(values, expected_sum(ranks->size(), elements)));
    }
  }
}

TEST_CASE("tree: a sum from left to right would differ, so equality means something") {
  constexpr size_t elements = 10000;
  for (const int workers : {4, 8, 16, 24}) {
    const std::vector<float> tree = expected_sum(workers, elements);
    size_t different = 0;
    for (size_t i = 0; i < elements; ++i) {
      float sum = 0.0f;
      for (int worker = 0; worker < workers; ++worker) sum += gradient(0, worker, i);
      different += sum != tree[i];
    }
    INFO(workers << " workers: " << different << " of " << elements << " differ");
    CHECK(different > elements / 20);
  }
}

TEST_CASE("ladder: workers one after another make the same tree, in two ranges") {
  constexpr size_t elements = 9001, cut = 5000;
  for (int workers = 1; workers <= 40; ++workers) {
    Ladder ladder(elements, workers);
    std::vector<float> values;
    for (int worker = 0; worker < workers; ++worker) {
      values = gradient_of(worker, elements);
      ladder.add(worker, 0, std::span(values).first(cut));
      ladder.add(worker, cut, std::span(values).subspan(cut));
    }
    INFO(workers << " workers");
    CHECK(same_bits(values, expected_sum(workers, elements)));
    const auto levels = static_cast<size_t>(std::countr_zero(static_cast<unsigned>(workers)));
    CHECK(ladder.bytes() ==
          (workers == 1 ? 0 : (levels + (odd_part(workers) > 1)) * elements * sizeof(float)));
  }
}

TEST_CASE("ladder: a long range, shared by threads, has the same bits") {
  constexpr size_t elements = 300001;
  constexpr int workers = 6;
  Ladder ladder(elements, workers);
  std::vector<float> values;
  for (int worker = 0; worker < workers; ++worker) {
    values = gradient_of(worker, elements);
    ladder.add(worker, 0, values);
  }
  CHECK(same_bits(values, expected_sum(workers, elements)));
}

// A norm as the GPU takes it apart (norms.h: a thread a lane of a chunk) has the bits of the host's loops.
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "backends/common/host_vector.h"
#include "backends/common/norms.h"

namespace convoy {
namespace {

template <class Element>
double in_pieces(size_t size, const Element& element) {
  const int64_t chunks = norm_chunks(size);
  std::vector<double> lanes(static_cast<size_t>(chunks * norm_lanes), -1.0),
      sums(static_cast<size_t>(chunks), -1.0);
  const LaneNormBody<Element> lane{element, lanes.data(), static_cast<int64_t>(size)};
  for (int64_t i = chunks * norm_lanes; i-- > 0;) lane(i);  // in whatever order
  const ChunkNormBody chunk{lanes.data(), sums.data()};
  for (int64_t i = 0; i < chunks; ++i) chunk(i);
  return sum_of_chunks(sums.data(), chunks);
}

}  // namespace

TEMPLATE_TEST_CASE("a norm in pieces has the host's bits", "", float, double) {
  HostVectorOf<TestType> host(2);
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (const size_t size : {0, 1, 15, 16, 17, 4095, 4096, 4097, 5 * 4096 + 33, 100003}) {
    std::vector<TestType> g(size), w(size);
    for (size_t i = 0; i < size; ++i) {
      g[i] = static_cast<TestType>(normal(random));
      w[i] = static_cast<TestType>(normal(random));
    }
    CHECK(in_pieces(size, PlainElement<TestType>{g.data()}) == host.squared_norm(g));
    const TestType scale{0.3f}, decay{1e-4f};
    CHECK(in_pieces(size, DecayedElement<TestType>{g.data(), w.data(), scale, decay}) ==
          host.squared_norm(NormTaskOf<TestType>{g, w, scale, decay}));
  }
}

}  // namespace convoy

// What the cases of this rung share: the communicator over all launched ranks, gradients to be summed, and the sums
// written down literally.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "comm/mpi.h"
#include "port/arena.h"

namespace convoy::testing {

MpiCommunicator& world();  // alive while Catch runs

// Element i of worker w's gradient: both signs, exponents over 40 binary places, so that the order of additions shows.
float gradient(int step, int worker, size_t i);

// The canonical tree by its definition, element by element: T(n) = T(n/2) + T(n/2) while n is even, else left to right.
float tree_of(const std::function<float(int)>& leaf, int first, int count);

// A flat arena without parameters, cut into buckets of the given lengths; the last elements are statistics.
Arena arena_of(const std::vector<int64_t>& lengths, int64_t statistics = 0);

// Passes everything on.
class Forwarding : public Communicator {
 public:
  explicit Forwarding(Communicator& inner) : inner_(inner) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::string host() const override { return inner_.host(); }
  void barrier() override { inner_.barrier(); }
  void broadcast(std::span<std::byte> data, int root) override { inner_.broadcast(data, root); }
  void sum(std::span<int64_t> values) override { inner_.sum(values); }
  std::vector<std::string> gather(const std::string& mine) override { return inner_.gather(mine); }
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override {
    return inner_.start_exchange(peer, out, in);
  }
  std::unique_ptr<Pending> start_sum(std::span<float> values) override { return inner_.start_sum(values); }
  std::string library() const override { return inner_.library(); }

 private:
  Communicator& inner_;
};

bool same_bits(std::span<const float> a, std::span<const float> b);

}  // namespace convoy::testing

// What convoy needs of a set of ranks: control collectives, point-to-point exchange for the fixed-order tree, and the
// library's own non-blocking sum. One thread at a time may call it (MPI_THREAD_SERIALIZED). Implemented by src/comm
// over MPI, and by LocalCommunicator (one rank, no MPI) for tools and tests. Payloads of any size: implementations cut
// messages below the int limit of MPI counts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace convoy {

class Communicator {
 public:
  // A message or sum under way; its spans must stay alive until test() or wait() says it is complete. Destroying it
  // before gives it up: only for the way out of a failed job, the communicator is of no further use.
  class Pending {
   public:
    virtual ~Pending() = default;
    virtual bool test() = 0;  // true when complete
    virtual void wait() = 0;
  };

  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string host() const = 0;

  virtual void barrier() = 0;
  virtual void broadcast(std::span<std::byte> data, int root) = 0;
  virtual void sum(std::span<int64_t> values) = 0;  // in place, on every rank, exact
  // Every rank's text, by rank, on every rank.
  virtual std::vector<std::string> gather(const std::string& mine) = 0;

  // Sends `out` to `peer` and receives `in` from it at the same time (sizes may differ and be zero).
  virtual std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                                  std::span<std::byte> in) = 0;
  // The library's own sum of f32 in place: any rank count, order of additions not promised.
  virtual std::unique_ptr<Pending> start_sum(std::span<float> values) = 0;

  virtual std::string library() const = 0;  // "Open MPI 4.1.4", "none"

  // Waits that last too long. Control collectives fail after `limit` (0: never), naming the ranks that are silent; what
  // waits for a Pending sees to it itself: answer() now and then, so that others see this rank alive, and in the end
  // silent_ranks(), which asks all others and returns those that have not answered within `patience`. Before limit_waits()
  // (collective) nobody answers or is asked.
  virtual void limit_waits(std::chrono::milliseconds /*limit*/) {}
  virtual void answer() {}
  virtual std::vector<int> silent_ranks(std::chrono::milliseconds /*patience*/) { return {}; }
};

class LocalCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string host() const override;
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void sum(std::span<int64_t>) override {}
  std::vector<std::string> gather(const std::string& mine) override { return {mine}; }
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override;
  std::unique_ptr<Pending> start_sum(std::span<float> values) override;
  std::string library() const override { return "none"; }
};

}  // namespace convoy

// Some ranks of a Communicator as one of their own: members first, first + stride, ... Only exchanges: what an allreduce
// among leaders, in a node or across nodes needs, so that comm/tree.h runs on any of them. Blocking helpers beside.
#pragma once

#include <bit>
#include <span>

#include "base/error.h"
#include "comm/tree.h"

namespace convoy::simulate {

class Group final : public Communicator {
 public:
  Group(Communicator& all, int first, int stride, int count, bool reversed = false)
      : all_(all), first_(first), stride_(stride), count_(count), reversed_(reversed) {}

  // The first `count` (a power of two where `reversed`: numbered by their reversed bits, so that near is far).
  Group first(int count, bool reversed) const { return {all_, first_, stride_, count, reversed}; }

  int rank() const override { return mapped((all_.rank() - first_) / stride_); }
  int size() const override { return count_; }
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override {
    return all_.start_exchange(first_ + stride_ * mapped(peer), out, in);
  }

  void send(int to, std::span<const float> values) { start_exchange(to, std::as_bytes(values), {})->wait(); }
  void receive(int from, std::span<float> values) {
    start_exchange(from, {}, std::as_writable_bytes(values))->wait();
  }
  void shift(int to, std::span<const float> out, int from, std::span<float> in) {
    const auto sending = start_exchange(to, std::as_bytes(out), {});
    const auto receiving = start_exchange(from, {}, std::as_writable_bytes(in));
    receiving->wait();
    sending->wait();
  }

  std::string host() const override { return all_.host(); }
  std::string library() const override { return all_.library(); }
  void barrier() override { exchanges_only(); }
  void broadcast(std::span<std::byte>, int) override { exchanges_only(); }
  void sum(std::span<int64_t>) override { exchanges_only(); }
  std::vector<std::string> gather(const std::string&) override { exchanges_only(); }
  std::unique_ptr<Pending> start_sum(std::span<float>) override { exchanges_only(); }

 private:
  [[noreturn]] static void exchanges_only() {
    fail("some of the ranks exchange data, but hold no collective");
  }
  int mapped(int index) const {
    if (!reversed_) return index;
    int image = 0;
    for (int bit = 1; bit < count_; bit *= 2) image = 2 * image + ((index & bit) != 0);
    return image;
  }

  Communicator& all_;
  int first_, stride_, count_;
  bool reversed_;
};

}  // namespace convoy::simulate

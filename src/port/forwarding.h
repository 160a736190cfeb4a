// A Communicator that passes everything on to another, for those that do one thing otherwise: override that. The inner one
// must outlive it.
#pragma once

#include "port/communicator.h"

namespace convoy {

class ForwardingCommunicator : public Communicator {
 public:
  explicit ForwardingCommunicator(Communicator& inner) : inner_(inner) {}
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
  void limit_waits(std::chrono::milliseconds limit) override { inner_.limit_waits(limit); }
  void answer() override { inner_.answer(); }
  std::vector<int> silent_ranks(std::chrono::milliseconds patience) override {
    return inner_.silent_ranks(patience);
  }

 private:
  Communicator& inner_;
};

}  // namespace convoy

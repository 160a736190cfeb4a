#include "backends/fused/staged_sums.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "backends/fused/placement.h"
#include "port/forwarding.h"

namespace convoy::fused {
namespace {

struct Slot {  // pinned memory of a sum
  Memory memory;
  size_t bytes;
  std::unique_ptr<Mark> mark;
  bool taken = false;
};

class StagedSums final : public ForwardingCommunicator {
 public:
  StagedSums(Communicator& inner, std::shared_ptr<Device> device)
      : ForwardingCommunicator(inner), device_(std::move(device)), queue_(device_->make_queue()) {}
  ~StagedSums() override {
    try {
      queue_->finish();  // of sums that were given up
    } catch (...) {
    }
  }
  StagedSums(const StagedSums&) = delete;
  StagedSums& operator=(const StagedSums&) = delete;

  std::unique_ptr<Pending> start_sum(std::span<float> values) override {
    return std::make_unique<Sum>(*this, values);
  }

 private:
  // Of one bucket: on its way to the host, summed there, on its way back.
  class Sum final : public Pending {
   public:
    Sum(StagedSums& owner, std::span<float> values)
        : owner_(owner), values_(values), slot_(owner.take(values.size_bytes())) {
      owner_.queue_->copy(slot_.memory.get(), values_.data(), values_.size_bytes());
      owner_.queue_->record(*slot_.mark);
      owner_.under_way_.push_back(this);
    }
    ~Sum() override {  // one that is given up keeps its slot: a copy or a sum may still be in it
      std::erase(owner_.under_way_, this);
    }
    Sum(const Sum&) = delete;
    Sum& operator=(const Sum&) = delete;
    bool test() override {
      owner_.go_on();
      return done_;
    }
    void wait() override {
      while (!test()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }

    bool start() {  // false: its values are not on the host yet
      if (sum_ != nullptr || done_) return true;
      if (!slot_.mark->reached()) return false;
      const std::span pinned(reinterpret_cast<float*>(slot_.memory.get()), values_.size());
      sum_ = owner_.ForwardingCommunicator::start_sum(pinned);
      return true;
    }
    void go_on() {
      if (done_ || sum_ == nullptr) return;
      if (!back_) {
        if (!sum_->test()) return;
        owner_.queue_->copy(values_.data(), slot_.memory.get(), values_.size_bytes());
        owner_.queue_->record(*slot_.mark);
        back_ = true;
      }
      if (!slot_.mark->reached()) return;
      slot_.taken = false;
      done_ = true;
    }

   private:
    StagedSums& owner_;
    std::span<float> values_;
    Slot& slot_;
    std::unique_ptr<Pending> sum_;
    bool back_ = false, done_ = false;
  };

  void go_on() {
    for (Sum* sum : under_way_)  // in order
      if (!sum->start()) break;
    for (Sum* sum : under_way_) sum->go_on();
  }

  Slot& take(size_t bytes) {  // the smallest that is large enough
    Slot* best = nullptr;
    for (Slot& slot : slots_)
      if (!slot.taken && slot.bytes >= bytes && (best == nullptr || slot.bytes < best->bytes)) best = &slot;
    if (best == nullptr)
      best =
          &slots_.emplace_back(Slot{allocate(*device_, bytes, Place::pinned), bytes, device_->make_mark()});
    best->taken = true;
    return *best;
  }

  std::shared_ptr<Device> device_;  // outlives everything below
  std::deque<Slot> slots_;          // which stay where they are
  std::vector<Sum*> under_way_;     // as they were asked for
  std::unique_ptr<Queue> queue_;
};

}  // namespace

std::unique_ptr<Communicator> make_staged_sums(Communicator& inner, std::shared_ptr<Device> device) {
  return std::make_unique<StagedSums>(inner, std::move(device));
}

}  // namespace convoy::fused

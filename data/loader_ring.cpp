#include "data/loader_ring.h"

#include <algorithm>

#include "base/error.h"

namespace convoy {

LoaderRing::LoaderRing(int slots, int batch, int threads, Prepare prepare)
    : batch_(batch), prepare_(std::move(prepare)), slots_(static_cast<size_t>(slots)) {
  queue_.reserve(slots_.size());
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
  } catch (...) {  // no more threads to be had: those that run wait for work and must be told to end
    stop();
    throw;
  }
}

LoaderRing::~LoaderRing() { stop(); }

void LoaderRing::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  threads_.clear();  // joins
}

void LoaderRing::run(int thread) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_) return;
    Slot& slot = *queue_.front();
    const int image = slot.taken++;
    if (slot.taken == batch_) queue_.erase(queue_.begin());
    const Job job = slot.job;
    lock.unlock();
    std::exception_ptr error;
    try {
      prepare_(job, image, static_cast<int>(&slot - slots_.data()), thread);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    ++slot.done;
    if (error &&
        (!slot.error || image < slot.error_image)) {  // the first image's, whichever thread was faster
      slot.error = error;
      slot.error_image = image;
    }
    if (idle(slot)) progress_.notify_all();
  }
}

int LoaderRing::take(std::span<const Job> wanted) {
  std::unique_lock lock(mutex_);
  ++turn_;
  for (auto& slot : slots_)
    if (slot.state == Slot::State::held && slot.turn + 1 < turn_) slot.state = Slot::State::free;
  give_up_all_but(wanted, lock);
  for (const auto& next : wanted)
    if (find(next) == nullptr && !start(next)) break;
  work_.notify_all();
  Slot* slot = find(wanted.front());
  ensure(slot != nullptr);
  progress_.wait(lock, [&] { return slot->done == batch_; });
  if (slot->error) {
    slot->state = Slot::State::free;
    std::rethrow_exception(std::exchange(slot->error, nullptr));
  }
  slot->state = Slot::State::held;
  slot->turn = turn_;
  return static_cast<int>(slot - slots_.data());
}

LoaderRing::Slot* LoaderRing::find(const Job& job) {
  for (auto& slot : slots_)
    if (slot.state != Slot::State::free && slot.job == job) return &slot;
  return nullptr;
}

// Pending work that nobody will ask for soon makes room; images being prepared at this moment are waited for.
void LoaderRing::give_up_all_but(std::span<const Job> wanted, std::unique_lock<std::mutex>& lock) {
  for (auto& slot : slots_) {
    if (slot.state != Slot::State::pending ||
        std::find(wanted.begin(), wanted.end(), slot.job) != wanted.end())
      continue;
    std::erase(queue_, &slot);
    progress_.wait(lock, [&] { return idle(slot); });
    slot.state = Slot::State::free;
    slot.error = nullptr;
  }
}

bool LoaderRing::start(const Job& job) {
  const auto slot =
      std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.state == Slot::State::free; });
  if (slot == slots_.end()) return false;
  *slot = Slot{job, Slot::State::pending, 0, 0, 0, nullptr, 0};
  queue_.push_back(&*slot);
  return true;
}

}  // namespace convoy

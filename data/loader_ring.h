// The ring of batches under preparation and the threads that fill it. Used by loader.cpp alone.
// A slot goes free -> pending (threads take its images one by one) -> ready -> held by the caller -> free.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace convoy {

struct Job {
  int64_t step = 0;
  int worker = 0;
  bool operator==(const Job&) const = default;
};

class LoaderRing {
 public:
  // Prepares image `image` of `job` into slot `slot`; called by thread `thread` without any lock.
  using Prepare = std::function<void(const Job& job, int image, int slot, int thread)>;
  LoaderRing(int slots, int batch, int threads, Prepare prepare);
  ~LoaderRing();
  LoaderRing(const LoaderRing&) = delete;
  LoaderRing& operator=(const LoaderRing&) = delete;

  // The slot that holds the first of the wanted jobs, when it is done. The others are those to work on after it, nearest
  // first; work that is not wanted is given up. The slots returned by the last call and by this one stay untouched.
  // Allocates nothing.
  int take(std::span<const Job> wanted);

 private:
  struct Slot {
    Job job;
    enum class State { free, pending, held } state = State::free;
    int taken = 0, done = 0;  // images
    uint64_t turn = 0;        // when held: the call that returned it
    std::exception_ptr error;
    int error_image = 0;
  };
  void run(int thread);
  void stop();
  void give_up_all_but(std::span<const Job> wanted, std::unique_lock<std::mutex>& lock);
  Slot* find(const Job& job);
  bool start(const Job& job);
  bool idle(const Slot& slot) const { return slot.taken == slot.done; }

  int batch_;
  Prepare prepare_;
  std::mutex mutex_;
  std::condition_variable work_, progress_;
  std::vector<Slot> slots_;
  std::vector<Slot*> queue_;  // pending slots with images to take, in order
  uint64_t turn_ = 0;
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace convoy

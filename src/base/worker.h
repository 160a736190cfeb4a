// One thread that does one task at a time beside its owner, and stays between tasks: what a library keeps for every thread that
// calls it (HDF5 some 4 KB, for good) is kept once. It begins with the first task. Owner's calls come from one thread; a task
// must not throw.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace convoy {

class Worker {
 public:
  Worker() = default;
  ~Worker();  // waits
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start(std::function<void()> task);  // waits for the one before
  void wait();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;  // empty: none
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace convoy

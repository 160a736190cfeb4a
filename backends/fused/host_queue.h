// The host device's queues: a thread each that runs what it is given in order. A task that throws ends its queue's work:
// what follows is passed over, marks excepted, which carry the error to those who wait for them; finish() throws it and
// the queue begins anew.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/fused/device.h"

namespace convoy::fused {

class HostMark final : public Mark {
 public:
  void wait() override { wait(asked()); }
  bool reached() override;
  int64_t asked();              // how often it was to be recorded so far
  void wait(int64_t recorded);  // until it was recorded so often
  void ask();
  void reach(std::exception_ptr error);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t asked_ = 0, reached_ = 0;
  std::exception_ptr error_;
};

class HostCaptured;
struct HostTask {  // one of the three
  std::function<void()> run{};
  HostMark* records = nullptr;
  const HostCaptured* graph = nullptr;
};

class HostCaptured final : public Captured {
 public:
  std::vector<HostTask> tasks;
};

class HostQueue final : public Queue {
 public:
  HostQueue();
  ~HostQueue() override;
  HostQueue(const HostQueue&) = delete;
  HostQueue& operator=(const HostQueue&) = delete;

  void push(HostTask task);
  void copy(void* to, const void* from, size_t bytes) override;
  void clear(void* to, size_t bytes) override;
  void record(Mark& mark) override;
  void wait(Mark& mark) override;
  void begin_capture() override;
  std::unique_ptr<Captured> end_capture() override;
  void launch(Captured& graph) override;
  void finish() override;

 private:
  void work();
  void execute(const HostTask& task);

  std::unique_ptr<HostCaptured> capturing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<HostTask> tasks_;
  bool busy_ = false, stop_ = false;
  std::exception_ptr error_;  // the worker's while it is busy
  std::thread worker_;
};

}  // namespace convoy::fused

#include "backends/fused/host_queue.h"

#include <cstring>
#include <utility>

#include "base/error.h"

namespace convoy::fused {

int64_t HostMark::asked() {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void HostMark::wait(int64_t recorded) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return reached_ >= recorded; });
  if (error_) std::rethrow_exception(error_);
}

bool HostMark::reached() {
  const std::lock_guard lock(mutex_);
  if (reached_ < asked_) return false;
  if (error_) std::rethrow_exception(error_);
  return true;
}

void HostMark::ask() {
  const std::lock_guard lock(mutex_);
  ++asked_;
}

void HostMark::reach(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  ++reached_;
  error_ = std::move(error);
  changed_.notify_all();  // under the lock: who waits may destroy the mark
}

HostQueue::HostQueue() : worker_([this] { work(); }) {}

HostQueue::~HostQueue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  worker_.join();  // when all is done
}

void HostQueue::push(HostTask task) {
  if (capturing_ != nullptr) {
    capturing_->tasks.push_back(std::move(task));
    return;
  }
  if (task.records != nullptr) task.records->ask();
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void HostQueue::copy(void* to, const void* from, size_t bytes) {
  push({.run = [=] { std::memcpy(to, from, bytes); }});
}

void HostQueue::clear(void* to, size_t bytes) {
  push({.run = [=] { std::memset(to, 0, bytes); }});
}

void HostQueue::record(Mark& mark) { push({.records = &dynamic_cast<HostMark&>(mark)}); }

void HostQueue::wait(Mark& mark) {
  auto& other = dynamic_cast<HostMark&>(mark);
  if (capturing_ != nullptr)
    push({.run = [&other] { other.wait(); }});
  else
    push({.run = [&other, recorded = other.asked()] { other.wait(recorded); }});
}

void HostQueue::begin_capture() {
  ensure(capturing_ == nullptr);
  capturing_ = std::make_unique<HostCaptured>();
}

std::unique_ptr<Captured> HostQueue::end_capture() {
  ensure(capturing_ != nullptr);
  return std::move(capturing_);
}

void HostQueue::launch(Captured& graph) {
  auto& captured = dynamic_cast<HostCaptured&>(graph);
  for (const HostTask& task : captured.tasks)
    if (task.records != nullptr) task.records->ask();
  push({.graph = &captured});
}

void HostQueue::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return tasks_.empty() && !busy_; });
  if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
}

void HostQueue::execute(const HostTask& task) {
  if (task.graph != nullptr)
    for (const HostTask& part : task.graph->tasks) execute(part);
  if (task.records != nullptr) task.records->reach(error_);
  try {
    if (!error_ && task.run) task.run();
  } catch (...) {
    error_ = std::current_exception();
  }
}

void HostQueue::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const HostTask task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    lock.unlock();
    execute(task);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace convoy::fused

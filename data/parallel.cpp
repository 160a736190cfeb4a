#include "data/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace convoy {

void parallel_for(int64_t pieces, int threads, const std::function<void(int64_t, int)>& body) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  const auto run = [&](int thread) {
    try {
      for (int64_t piece = next++; piece < pieces; piece = next++) body(piece, thread);
    } catch (...) {
      next = pieces;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  const int helpers = static_cast<int>(std::min<int64_t>(threads, pieces)) - 1;
  {
    std::vector<std::jthread> pool;
    for (int i = 0; i < helpers; ++i) pool.emplace_back(run, i + 1);
    run(0);
  }
  if (error) std::rethrow_exception(error);
}

int thread_count(int wanted) {
  if (wanted > 0) return wanted;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace convoy

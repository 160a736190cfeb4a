// The gradients where the host may round, add and send them. An arena in a device's memory has a mirror in the host's
// page-locked memory: a page that the host touched in place would move to and fro in every step, and what a network's
// hardware is told of (RDMA) must not move at all. A leaf's bucket is fetched into the mirror, a sum is put back. Where the
// arena lies in the host's memory, or the host has nothing to do, it is its own mirror and nothing is copied.
#pragma once

#include <memory>
#include <span>

#include "comm/reducer.h"
#include "port/arena.h"
#include "port/host_copies.h"

namespace convoy {

class Mirror {
 public:
  // Of a reducer with these `options` on a rank that runs `local` workers: 0 where it needs none.
  static size_t bytes_for(const Layout& layout, const ReducerOptions& options, int ranks, int local);

  Mirror(Arena& arena, const ReducerOptions& options, int ranks, int local);
  ~Mirror();  // waits for what is under way
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  std::span<float> grads();
  std::span<float> grads(int bucket);

  // Threads as HostCopies says.
  void fetch(int bucket);  // from the arena; returns when it is here
  void put(int bucket);    // to the arena, where it is after finish()
  void finish();

 private:
  Arena& arena_;
  HostCopies* copies_ = nullptr;  // null: nothing is copied
  std::shared_ptr<std::byte[]> memory_;
};

}  // namespace convoy

// Memory for objects of one class that come and go in every step: what is given back is handed out again, so that steps do
// not allocate. A class uses it by `new (blocks) T(...)` with an operator new that takes and an operator delete that
// gives. The Blocks must outlive the objects; any thread may take and give.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace convoy {

class Blocks {
 public:
  Blocks(size_t bytes, size_t expected) : bytes_(room_before + bytes) {
    for (size_t i = 0; i < expected; ++i) grow();
  }

  void* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) grow();
    std::byte* const block = free_.back();
    free_.pop_back();
    return block + room_before;
  }
  static void give(void* object) {
    std::byte* const block = static_cast<std::byte*>(object) - room_before;
    Blocks& owner = **reinterpret_cast<Blocks**>(block);
    const std::lock_guard lock(owner.mutex_);
    owner.free_.push_back(block);
  }

 private:
  static constexpr size_t room_before =
      alignof(std::max_align_t);  // for the owner; what follows stays aligned
  static_assert(room_before >= sizeof(Blocks*));

  void grow() {
    all_.push_back(std::make_unique<std::byte[]>(bytes_));
    free_.reserve(all_.capacity());  // give() never allocates
    *reinterpret_cast<Blocks**>(all_.back().get()) = this;
    free_.push_back(all_.back().get());
  }

  size_t bytes_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<std::byte[]>> all_;
  std::vector<std::byte*> free_;
};

}  // namespace convoy

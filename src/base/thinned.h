// An even sample of a stream that may have no end: every stride-th value from the first on, where the stride doubles
// whenever the room is full. Its memory is all there, and touched, from the beginning, so that what a run keeps of its
// steps does not grow with their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace convoy {

template <class T>
class Thinned {
 public:
  explicit Thinned(size_t room = 8192 /*even*/) : values_(room) {}

  void add(const T& value) {
    if (count_++ % stride_ != 0) return;
    if (size_ == values_.size()) {
      for (size_t i = 0; i < size_ / 2; ++i) values_[i] = values_[2 * i];
      size_ /= 2;
      stride_ *= 2;
    }
    values_[size_++] = value;
  }
  void clear() { size_ = 0, count_ = 0, stride_ = 1; }

  std::span<const T> values() const { return std::span(values_).first(size_); }
  int64_t stride() const { return stride_; }
  int64_t count() const { return count_; }  // that were added

 private:
  std::vector<T> values_;
  size_t size_ = 0;
  int64_t count_ = 0, stride_ = 1;
};

}  // namespace convoy

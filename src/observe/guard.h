// What observing must never do is end the run: guard(f) turns an exception of f into a warning, once, and goes on.
#pragma once

#include <exception>
#include <utility>

#include "base/log.h"

namespace convoy {

class Guard {
 public:
  explicit Guard(Log log) : log_(std::move(log)) {}
  template <class Work>
  void operator()(Work&& work) {
    try {
      work();
    } catch (const std::exception& error) {
      if (!std::exchange(warned_, true)) log_.warn("{}; the run goes on without it", error.what());
    }
  }

 private:
  Log log_;
  bool warned_ = false;
};

}  // namespace convoy

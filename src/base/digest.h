// XXH3 digests: 64 bits for a record of a shard, 128 bits (as 32 hex digits) for tensors, checkpoints and files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace convoy {

uint64_t digest64(const void* data, size_t bytes);

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  void add(const void* data, size_t bytes);
  void add(const std::string& text) { add(text.data(), text.size()); }
  std::string hex() const;  // 32 hex digits of XXH3-128 over everything added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy

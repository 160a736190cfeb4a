#include "base/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace convoy {

struct Digest::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::add(const void* data, size_t bytes) { XXH3_128bits_update(state_->xxh, data, bytes); }

std::string Digest::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

uint64_t digest64(const void* data, size_t bytes) { return XXH3_64bits(data, bytes); }

}  // namespace convoy

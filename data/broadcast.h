// Rank 0's bytes on every rank: a length, then the content. What one rank has read from a shared file system need not be
// read by a thousand others (h5py#2224, HighFive#620).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "port/communicator.h"

namespace convoy {

inline void broadcast_text(Communicator& comm, std::string& text) {
  uint64_t bytes = text.size();
  comm.broadcast(std::as_writable_bytes(std::span(&bytes, 1)), 0);
  text.resize(bytes);
  comm.broadcast(std::as_writable_bytes(std::span(text)), 0);
}

}  // namespace convoy

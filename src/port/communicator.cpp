#include "port/communicator.h"

#include <unistd.h>

#include <array>

#include "base/error.h"

namespace convoy {
namespace {

struct Done final : Communicator::Pending {
  bool test() override { return true; }
  void wait() override {}
};

}  // namespace

std::string LocalCommunicator::host() const {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

std::unique_ptr<Communicator::Pending> LocalCommunicator::start_exchange(int peer, std::span<const std::byte>,
                                                                         std::span<std::byte>) {
  fail("there is no rank {} to exchange data with: this program runs as one rank without MPI", peer);
}

std::unique_ptr<Communicator::Pending> LocalCommunicator::start_sum(std::span<float>) {
  return std::make_unique<Done>();
}

}  // namespace convoy

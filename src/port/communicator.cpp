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

void LocalCommunicator::exchange(int, std::span<const float>, std::span<float>) { ensure(false); }

std::unique_ptr<Communicator::Pending> LocalCommunicator::start_sum(std::span<float>) {
  return std::make_unique<Done>();
}

}  // namespace convoy

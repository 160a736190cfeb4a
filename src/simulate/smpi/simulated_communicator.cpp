#include "simulate/smpi/simulated_communicator.h"

#include <cstring>

namespace convoy::simulate {
namespace {

struct Done final : Communicator::Pending {
  bool test() override { return true; }
  void wait() override {}
};

}  // namespace

void SimulatedCommunicator::broadcast(std::span<std::byte> data, int root) {
  const std::string mine(reinterpret_cast<const char*>(data.data()), rank() == root ? data.size() : 0);
  const std::string text = gather(mine)[static_cast<size_t>(root)];
  std::memcpy(data.data(), text.data(), std::min(text.size(), data.size()));
}

void SimulatedCommunicator::sum(std::span<int64_t> values) {
  const auto all = gather({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  std::fill(values.begin(), values.end(), 0);
  for (const std::string& text : all)
    for (size_t i = 0; i < values.size(); ++i) {
      int64_t value = 0;
      std::memcpy(&value, text.data() + i * sizeof(value), sizeof(value));
      values[i] += value;
    }
}

std::unique_ptr<Communicator::Pending> SimulatedCommunicator::start_exchange(int peer,
                                                                             std::span<const std::byte> out,
                                                                             std::span<std::byte> in) {
  if (costs_.message > 0) simgrid::s4u::this_actor::sleep_for(costs_.message);
  return mpi_.start_exchange(peer, out, in);
}

std::unique_ptr<Communicator::Pending> SimulatedCommunicator::start_sum(std::span<float> values) {
  if (costs_.packed) costs_.nodes.worked(6 * values.size_bytes());  // 12 bytes for each 2 on the wire
  allreduce(costs_.algorithm, *this, values, costs_.scratch, costs_.nodes);
  return std::make_unique<Done>();
}

}  // namespace convoy::simulate

// The program's MpiCommunicator on a simulated rank: exchanges go through MPI, what only a start-up needs through the
// board, and the "MPI library's sum" is the algorithm that is simulated. Every message costs the rank its own seconds.
#pragma once

#include "comm/mpi.h"
#include "simulate/algorithm.h"
#include "simulate/smpi/board.h"

namespace convoy::simulate {

class SimulatedCommunicator final : public Communicator {
 public:
  struct Costs {
    Algorithm algorithm = Algorithm::tree;
    Nodes nodes{};
    double message = 0;
    bool packed = false;         // Scenario::packed
    std::span<float> scratch{};  // of start_sum
  };
  SimulatedCommunicator(MpiCommunicator& mpi, Board& board, Costs costs)
      : mpi_(mpi), board_(board), costs_(std::move(costs)) {}

  int rank() const override { return mpi_.rank(); }
  int size() const override { return mpi_.size(); }
  std::string host() const override { return simgrid::s4u::this_actor::get_host()->get_name(); }
  std::string library() const override { return "SimGrid"; }
  void barrier() override { board_.meet(); }
  void broadcast(std::span<std::byte> data, int root) override;
  void sum(std::span<int64_t> values) override;
  std::vector<std::string> gather(const std::string& mine) override { return board_.gather(rank(), mine); }
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override;
  std::unique_ptr<Pending> start_sum(std::span<float> values) override;

 private:
  MpiCommunicator& mpi_;
  Board& board_;
  Costs costs_;
};

}  // namespace convoy::simulate

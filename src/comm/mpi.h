// MPI, and all that convoy asks of it. MpiSession owns MPI_Init_thread and MPI_Finalize and a communicator
// over all ranks (a duplicate of MPI_COMM_WORLD, errors returned and turned into Error).
// MPI_THREAD_SERIALIZED: any thread may call, one at a time. Every wait polls and gives the core away, so a
// waiting rank costs next to nothing. Payloads are cut into messages of at most `largest_message` elements
// (of an exchange: bytes), below the int limit of MPI's counts.
#pragma once

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "port/communicator.h"

namespace convoy {

class MpiCommunicator final : public Communicator {
 public:
  // How exchanges are waited for: simulated ranks share one thread, in which a poll takes simulated time and lets nobody
  // else go on, so that they are to wait inside MPI.
  enum class Waits { polling, inside_mpi };
  explicit MpiCommunicator(size_t largest_message = INT_MAX,
                           Waits waits = Waits::polling);  // collective; between MPI_Init and MPI_Finalize
  ~MpiCommunicator() override;

  int rank() const override;
  int size() const override;
  std::string host() const override;
  void barrier() override;
  void broadcast(std::span<std::byte> data, int root) override;
  void sum(std::span<int64_t> values) override;
  std::vector<std::string> gather(const std::string& mine) override;
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override;
  std::unique_ptr<Pending> start_sum(std::span<float> values) override;
  std::string library() const override;  // "Open MPI 4.1.4", "MPICH 4.0.2"
  void limit_waits(std::chrono::milliseconds limit) override;  // collective
  void answer() override;
  std::vector<int> silent_ranks(std::chrono::milliseconds patience) override;

 private:
  friend class MpiSession;
  struct State;
  std::unique_ptr<State> state_;
};

class MpiSession {
 public:
  // Throws Error with exit code 64 when a launcher started several ranks but each believes that it is rank 0
  // of 1.
  MpiSession(int& argc, char**& argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  MpiCommunicator& world() { return *world_; }

  // For main()'s last catch, after everything that uses MPI has been unwound. Prints "convoy: rank 3 of 8 on
  // HOST: message" to standard error and ends all ranks with `code`. When all ranks fail together (a misspelt
  // key), one speaks for all and the job ends in order; when one rank fails alone, the others are aborted.
  [[noreturn]] void abort_job(Exit code, const std::string& message);

 private:
  std::unique_ptr<MpiCommunicator> world_;
  int exceptions_;  // under way when the session began
};

std::string mpi_library();  // "Open MPI 4.1.4", "MPICH 4.0.2"; also where MPI is not initialized

// One simulated rank: MPI_Init to MPI_Finalize, without what a real start has to look after (threads, launchers).
class SimulatedSession {
 public:
  SimulatedSession();
  ~SimulatedSession();
  SimulatedSession(const SimulatedSession&) = delete;
  SimulatedSession& operator=(const SimulatedSession&) = delete;
  MpiCommunicator& world() { return *world_; }

 private:
  std::unique_ptr<MpiCommunicator> world_;
};

}  // namespace convoy

#include "comm/mpi.h"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <utility>

#include "comm/backoff.h"
#include "comm/blocks.h"
#include "comm/mpi_check.h"
#include "comm/mpi_state.h"
#include "comm/silence.h"

namespace convoy {
namespace {

constexpr int exchange_tag = 1;

class Requests final : public Communicator::Pending {
 public:
  Requests(const char* what, size_t expected, Leftovers& leftovers, bool waits_inside = false)
      : what_(what), leftovers_(leftovers), waits_inside_(waits_inside) {
    if (expected > few_.size()) many_.resize(expected);
  }

  static void* operator new(size_t, Blocks& blocks) { return blocks.take(); }
  static void operator delete(void* self) { Blocks::give(self); }
  static void operator delete(void* self, Blocks&) { Blocks::give(self); }

  // Receives first, then sends or collectives; at most `expected` in all.
  MPI_Request* add_receive() { return ++receives_, add(); }
  MPI_Request* add() { return &(requests()[count_++] = MPI_REQUEST_NULL); }

  bool test() override {
    int done = 0;
    if (waits_inside_)
      mpi_check(MPI_Waitall(count_, requests(), MPI_STATUSES_IGNORE), what_), done = 1;
    else
      mpi_check(MPI_Testall(count_, requests(), &done, MPI_STATUSES_IGNORE), what_);
    if (done) count_ = 0;
    return done != 0;
  }
  void wait() override {
    for (Backoff backoff; !test();) backoff.pause();
  }
  // Given up. Receives can be cancelled; sends and sums cannot, and write to memory that is about to be freed, so they
  // get a moment to end by themselves, as they do when this rank alone has failed.
  ~Requests() override {
    if (count_ == 0) return;
    leftovers_.messages = true;
    for (int i = 0; i < std::min(receives_, count_); ++i)
      if (requests()[i] != MPI_REQUEST_NULL) MPI_Cancel(&requests()[i]);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    int done = 0;
    for (Backoff backoff; !done && std::chrono::steady_clock::now() < end; backoff.pause())
      if (MPI_Testall(count_, requests(), &done, MPI_STATUSES_IGNORE)) break;
    leftovers_.requests = leftovers_.requests || !done;
  }

 private:
  MPI_Request* requests() { return many_.empty() ? few_.data() : many_.data(); }

  const char* what_;
  Leftovers& leftovers_;
  const bool waits_inside_;
  std::array<MPI_Request, 2> few_{};  // what an exchange takes, unless MPI cannot count its bytes
  std::vector<MPI_Request> many_;
  int count_ = 0, receives_ = 0;
};

}  // namespace

MpiCommunicator::MpiCommunicator(size_t largest_message, Waits waits)
    : state_(std::make_unique<State>(sizeof(Requests))) {
  state_->self = this;
  state_->waits_inside = waits == Waits::inside_mpi;
  ensure(largest_message > 0 && largest_message <= INT_MAX);
  state_->largest = largest_message;
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &state_->comm), "duplicate the communicator");
  mpi_check(MPI_Comm_set_errhandler(state_->comm, MPI_ERRORS_RETURN), "set the error handler");
  mpi_check(MPI_Comm_rank(state_->comm, &state_->rank), "tell the rank");
  mpi_check(MPI_Comm_size(state_->comm, &state_->size), "tell the number of ranks");
  std::array<char, 256> name{};
  state_->host = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

void MpiCommunicator::State::finish(MPI_Request request, const char* what) {
  const auto begin = std::chrono::steady_clock::now();
  int done = 0;
  for (Backoff backoff;; backoff.pause()) {
    mpi_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
    if (done) return;
    if (roll_call) roll_call->answer();
    if (limit.count() == 0 || std::chrono::steady_clock::now() - begin < limit) continue;
    leftovers = {.messages = true, .requests = true};
    fail("waited {:g} s to {} with the other ranks: {}", std::chrono::duration<double>(limit).count(), what,
         name_the_silent(*self, hosts, limit));
  }
}

MpiCommunicator::~MpiCommunicator() {
  int finalized = 0;
  if (state_->leftovers.messages) {
    if (state_->roll_call) state_->roll_call->abandon();
    return;
  }
  state_->roll_call.reset();
  if (MPI_Finalized(&finalized) == MPI_SUCCESS && !finalized) MPI_Comm_free(&state_->comm);
}

int MpiCommunicator::rank() const { return state_->rank; }
int MpiCommunicator::size() const { return state_->size; }
std::string MpiCommunicator::host() const { return state_->host; }

void MpiCommunicator::barrier() {
  MPI_Request request;
  mpi_check(MPI_Ibarrier(state_->comm, &request), "start a barrier");
  state_->finish(request, "finish a barrier");
}

void MpiCommunicator::broadcast(std::span<std::byte> data, int root) {
  state_->pieces(data.size(), [&](size_t begin, int count) {
    MPI_Request request;
    mpi_check(MPI_Ibcast(data.data() + begin, count, MPI_BYTE, root, state_->comm, &request),
              "start a broadcast");
    state_->finish(request, "finish a broadcast");
  });
}

void MpiCommunicator::sum(std::span<int64_t> values) {
  state_->pieces(values.size(), [&](size_t begin, int count) {
    MPI_Request request;
    mpi_check(MPI_Iallreduce(MPI_IN_PLACE, values.data() + begin, count, MPI_INT64_T, MPI_SUM, state_->comm,
                             &request),
              "start a sum of integers");
    state_->finish(request, "finish a sum of integers");
  });
}

std::vector<std::string> MpiCommunicator::gather(const std::string& mine) {
  const auto ranks = static_cast<size_t>(size());
  std::vector<int> lengths(ranks), offsets(ranks + 1);
  const auto length = static_cast<int>(std::min(mine.size(), size_t{INT_MAX}));
  MPI_Request request;
  mpi_check(MPI_Iallgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, state_->comm, &request),
            "start a gather");
  state_->finish(request, "finish a gather");
  const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  require(total < INT_MAX, "the ranks gather {} bytes of text at once, more than MPI can count", total);
  std::partial_sum(lengths.begin(), lengths.end(), offsets.begin() + 1);
  std::string all(static_cast<size_t>(total), '\0');
  mpi_check(MPI_Iallgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(),
                            MPI_CHAR, state_->comm, &request),
            "start a gather");
  state_->finish(request, "finish a gather");
  std::vector<std::string> texts;
  for (size_t r = 0; r < ranks; ++r)
    texts.push_back(all.substr(static_cast<size_t>(offsets[r]), static_cast<size_t>(lengths[r])));
  return texts;
}

std::unique_ptr<Communicator::Pending> MpiCommunicator::start_exchange(int peer,
                                                                       std::span<const std::byte> out,
                                                                       std::span<std::byte> in) {
  std::unique_ptr<Requests> pending(new (state_->blocks) Requests(
      "exchange partial sums", state_->count_pieces(in.size()) + state_->count_pieces(out.size()),
      state_->leftovers, state_->waits_inside));
  state_->pieces(in.size(), [&](size_t begin, int count) {
    mpi_check(MPI_Irecv(in.data() + begin, count, MPI_BYTE, peer, exchange_tag, state_->comm,
                        pending->add_receive()),
              "start to receive a partial sum");
  });
  state_->pieces(out.size(), [&](size_t begin, int count) {
    mpi_check(
        MPI_Isend(out.data() + begin, count, MPI_BYTE, peer, exchange_tag, state_->comm, pending->add()),
        "start to send a partial sum");
  });
  return pending;
}

std::unique_ptr<Communicator::Pending> MpiCommunicator::start_sum(std::span<float> values) {
  std::unique_ptr<Requests> pending(
      new (state_->blocks) Requests("sum gradients", state_->count_pieces(values.size()), state_->leftovers));
  state_->pieces(values.size(), [&](size_t begin, int count) {
    mpi_check(MPI_Iallreduce(MPI_IN_PLACE, values.data() + begin, count, MPI_FLOAT, MPI_SUM, state_->comm,
                             pending->add()),
              "start a sum of gradients");
  });
  return pending;
}

void MpiCommunicator::limit_waits(std::chrono::milliseconds limit) {
  state_->hosts = gather(host());
  state_->limit = limit;
  if (!state_->roll_call) state_->roll_call.emplace(state_->comm);
}

void MpiCommunicator::answer() {
  if (state_->roll_call) state_->roll_call->answer();
}

std::vector<int> MpiCommunicator::silent_ranks(std::chrono::milliseconds patience) {
  return state_->roll_call ? state_->roll_call->silent(patience) : std::vector<int>();
}

std::string MpiCommunicator::library() const { return mpi_library(); }

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  mpi_check(MPI_Get_library_version(text, &length), "tell its version");
  // "Open MPI v4.1.4, package: ...", "MPICH Version:\t4.0.2\nMPICH Release date: ...", or anything's first
  // line.
  std::string line(text, std::find_if(text, text + length, [](char c) { return c == '\n' || c == ','; }));
  if (const size_t at = line.find("Open MPI v"); at == 0) return "Open MPI " + line.substr(10);
  if (const size_t at = line.find("Version:"); at != std::string::npos) {
    const size_t number = line.find_first_not_of(" \t", at + 8);
    if (number != std::string::npos) return line.substr(0, at) + line.substr(number);
  }
  return line;
}

}  // namespace convoy

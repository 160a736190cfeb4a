// Sums over ranks by a stand-in for NCCL (libnccl.c), through the reducer that training uses: started under mpirun by
// nccl_test.py. Prints what it found, one line; any mistake ends it with another exit code than 0.
//   test_nccl sums | shared-gpu | missing | fails
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "backends/cudnn/nccl_sums.h"
#include "base/error.h"
#include "comm/mpi.h"
#include "comm/reducer.h"

namespace {

using namespace convoy;

// A stream whose work has always been done already, two questions later.
class HostStream final : public cudnn::SumStream {
 public:
  void* stream() override { return this; }
  std::unique_ptr<Communicator::Pending> enqueued() override {
    struct Done final : Communicator::Pending {
      int asked = 0;
      bool test() override { return ++asked > 2; }
      void wait() override {}
    };
    return std::make_unique<Done>();
  }
};

DeviceSums sums_for(Communicator& world, const std::string& bus_id) {
  return cudnn::make_nccl_sums(world, bus_id, std::make_unique<HostStream>());
}

int sums_by_stand_in() {
  void* library = ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_NOLOAD);
  ensure(library != nullptr);
  const auto* count = static_cast<const int*>(::dlsym(library, "fake_nccl_sums"));
  ensure(count != nullptr);
  return *count;
}

// Gradients of three steps in three buckets; integers, so that the sum is exact in any order.
std::string check_sums(Communicator& world) {
  const DeviceSums sums = sums_for(world, fmt::format("0000:{:02X}:00.0", world.rank()));
  ensure(sums.communicator != nullptr);
  Layout layout;
  layout.elements = 3000000;
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 5}, {5, 1100000}, {1100000, 3000000}})
    layout.buckets.push_back({begin, end, 0});
  Arena arena(Graph{}, layout, 0);
  Reducer reducer(*sums.communicator, arena, world.size(), {world.rank(), 1}, {.road = Road::library});
  for (int step = 0; step < 3; ++step) {
    const std::span<float> grads = arena.grads();
    for (size_t i = 0; i < grads.size(); ++i)
      grads[i] =
          static_cast<float>((i % 1000 + static_cast<size_t>(step)) * static_cast<size_t>(world.rank() + 1));
    const ReadyFn ready = reducer.leaf(0);
    for (int bucket = 0; bucket < 3; ++bucket) ready(bucket, {});
    reducer.wait();
    const auto ranks = static_cast<size_t>(world.size());
    for (size_t i = 0; i < grads.size(); ++i)
      require(
          grads[i] == static_cast<float>((i % 1000 + static_cast<size_t>(step)) * (ranks * (ranks + 1) / 2)),
          "rank {}, step {}, element {} is {}", world.rank(), step, i, grads[i]);
  }
  const int expected = world.size() == 1 ? 0 : 9;  // one rank has nothing to sum
  require(sums_by_stand_in() == expected, "{} sums went through NCCL, not {}", sums_by_stand_in(), expected);
  return sums.note + "; " + sums.communicator->library();
}

std::string check(Communicator& world, const std::string& mode) {
  if (mode == "sums") return check_sums(world);
  if (mode == "fails") {
    const DeviceSums sums = sums_for(world, fmt::format("0000:{:02X}:00.0", world.rank()));
    std::vector<float> values(10, 1.0f);
    for (auto sum = sums.communicator->start_sum(values); !sum->test();) continue;
    return "nothing failed";
  }
  const DeviceSums sums = sums_for(world, mode == "shared-gpu" ? "0000:1B:00.0" : "none");
  ensure(sums.communicator == nullptr);
  return sums.note;
}

}  // namespace

int main(int argc, char** argv) {
  MpiSession session(argc, argv);
  try {
    const std::string found = check(session.world(), argc > 1 ? argv[1] : "");
    const auto all = session.world().gather(found);
    if (session.world().rank() == 0 && std::ranges::count(all, found) == session.world().size())
      fmt::print("{}\n", found);
    return 0;
  } catch (const Error& error) {
    session.abort_job(error.code(), error.what());
  }
}

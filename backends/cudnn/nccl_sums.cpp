#include "backends/cudnn/nccl_sums.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "backends/cudnn/nccl_api.h"
#include "base/error.h"
#include "port/forwarding.h"

namespace convoy::cudnn {
namespace {

class NcclCommunicator final : public ForwardingCommunicator {
 public:
  NcclCommunicator(Communicator& inner, const NcclApi& api, std::unique_ptr<SumStream> stream)
      : ForwardingCommunicator(inner), api_(api), stream_(std::move(stream)) {
    ncclUniqueId id{};
    if (rank() == 0) api_.check(api_.unique_id(&id), "make an identity for the job");
    broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
    stream_->stream();
    api_.check(api_.init_rank(&nccl_, size(), id, rank()), "connect the ranks");
  }
  ~NcclCommunicator() override {
    if (under_way_ > 0)
      api_.abort(nccl_);  // on the way out of a failed job: the others may never answer
    else
      api_.destroy(nccl_);
  }
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  std::string library() const override {
    return fmt::format("{}, {}", ForwardingCommunicator::library(), api_.name());
  }
  std::unique_ptr<Pending> start_sum(std::span<float> values) override {
    const auto stream = static_cast<cudaStream_t>(stream_->stream());
    api_.check(
        api_.all_reduce(values.data(), values.data(), values.size(), ncclFloat, ncclSum, nccl_, stream),
        "start a sum");
    return std::make_unique<Sum>(*this, stream_->enqueued());
  }

 private:
  class Sum final : public Pending {
   public:
    Sum(NcclCommunicator& owner, std::unique_ptr<Pending> work) : owner_(owner), work_(std::move(work)) {
      ++owner_.under_way_;
    }
    bool test() override {
      if (done_) return true;
      ncclResult_t error = ncclSuccess;
      owner_.api_.check(owner_.api_.async_error(owner_.nccl_, &error), "tell how a sum fares");
      if (error != ncclInProgress) owner_.api_.check(error, "finish a sum");
      if (!work_->test()) return false;
      --owner_.under_way_;
      return done_ = true;
    }
    void wait() override {
      if (test()) return;
      work_->wait();
      test();
    }

   private:
    NcclCommunicator& owner_;
    std::unique_ptr<Pending> work_;
    bool done_ = false;
  };

  NcclApi api_;
  std::unique_ptr<SumStream> stream_;
  ncclComm_t nccl_ = nullptr;
  int under_way_ = 0;
};

std::string trouble_of(Communicator& ranks, const NcclApi& api, const std::string& bus_id) {
  const auto missing = ranks.gather(api.trouble);
  const auto without = std::ranges::find_if(missing, [](const std::string& text) { return !text.empty(); });
  if (without != missing.end())
    return fmt::format("rank {} has no NCCL ({})", without - missing.begin(), *without);
  const auto gpus = ranks.gather(ranks.host() + ", GPU " + bus_id);
  for (auto gpu = gpus.begin(); gpu != gpus.end(); ++gpu)
    if (const auto other = std::find(gpu + 1, gpus.end(), *gpu); other != gpus.end())
      return fmt::format("ranks {} and {} share a GPU ({}), which NCCL refuses", gpu - gpus.begin(),
                         other - gpus.begin(), *gpu);
  return "";
}

}  // namespace

DeviceSums make_nccl_sums(Communicator& inner, const std::string& bus_id, std::unique_ptr<SumStream> stream) {
  const NcclApi api = load_nccl();
  if (const std::string trouble = trouble_of(inner, api, bus_id); !trouble.empty())
    return {nullptr, "gradients are summed by the MPI library in page-locked memory: " + trouble};
  return {std::make_unique<NcclCommunicator>(inner, api, std::move(stream)),
          fmt::format("gradients are summed by {}", api.name())};
}

}  // namespace convoy::cudnn

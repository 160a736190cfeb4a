// Sums over ranks by NCCL, one GPU a rank: a Communicator that hands start_sum() to ncclAllReduce on a stream of its own and
// passes all else on. NCCL's identity travels over the communicator around which it is. Where NCCL cannot be used, on any
// rank, all ranks say why and keep the communicator they have: no library, or two ranks on one GPU, which NCCL refuses.
// NCCL's order of additions is its own: results are repeatable at best.
#pragma once

#include <memory>
#include <string>

#include "port/backend.h"

namespace convoy::cudnn {

// A GPU's stream, as far as a sum needs it.
class SumStream {
 public:
  virtual ~SumStream() = default;
  virtual void* stream() = 0;  // cudaStream_t; makes its GPU the thread's own
  // Of all that has been enqueued so far.
  virtual std::unique_ptr<Communicator::Pending> enqueued() = 0;
};
std::unique_ptr<SumStream> make_sum_stream(int gpu);  // cuda_sums.cpp

// Collective. `bus_id`: of this rank's GPU.
DeviceSums make_nccl_sums(Communicator& inner, const std::string& bus_id, std::unique_ptr<SumStream> stream);

}  // namespace convoy::cudnn

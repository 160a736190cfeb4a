// NCCL's functions, from libnccl.so.2 loaded at run time: nothing is linked, and a host without it says so. Never unloaded.
#pragma once

#include <nccl.h>

#include <string>

namespace convoy::cudnn {

struct NcclApi {
  decltype(&ncclGetVersion) version = nullptr;
  decltype(&ncclGetErrorString) error_text = nullptr;
  decltype(&ncclGetUniqueId) unique_id = nullptr;
  decltype(&ncclCommInitRank) init_rank = nullptr;
  decltype(&ncclCommGetAsyncError) async_error = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  std::string trouble;  // why it cannot be used, in a few words

  std::string name() const;  // "NCCL 2.28.9"
  void check(ncclResult_t code, const char* what) const;
};
NcclApi load_nccl();

}  // namespace convoy::cudnn

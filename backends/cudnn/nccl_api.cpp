#include "backends/cudnn/nccl_api.h"

#include <dlfcn.h>

#include "base/error.h"

namespace convoy::cudnn {
namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

}  // namespace

NcclApi load_nccl() {
  NcclApi api;
  void* library = ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    api.trouble = ::dlerror();
  else if (!find(library, "ncclGetVersion", api.version) ||
           !find(library, "ncclGetErrorString", api.error_text) ||
           !find(library, "ncclGetUniqueId", api.unique_id) ||
           !find(library, "ncclCommInitRank", api.init_rank) ||
           !find(library, "ncclCommGetAsyncError", api.async_error) ||
           !find(library, "ncclCommDestroy", api.destroy) || !find(library, "ncclCommAbort", api.abort) ||
           !find(library, "ncclAllReduce", api.all_reduce))
    api.trouble = "libnccl.so.2 lacks functions that NCCL 2.4 has";
  return api;
}

std::string NcclApi::name() const {
  int number = 0;
  check(version(&number), "tell its version");
  // Since 2.9: 22809 is 2.28.9; before: 2804 is 2.8.4.
  const int major = number >= 10000 ? number / 10000 : number / 1000;
  const int rest = number - major * (number >= 10000 ? 10000 : 1000);
  return fmt::format("NCCL {}.{}.{}", major, rest / 100, rest % 100);
}

void NcclApi::check(ncclResult_t code, const char* what) const {
  require(code == ncclSuccess, "NCCL cannot {}: {} (NCCL_DEBUG=INFO says more)", what, error_text(code));
}

}  // namespace convoy::cudnn

#include "backends/cudnn/legacy.h"

#include <variant>

#include "backends/cudnn/legacy_conv.h"
#include "backends/cudnn/legacy_norm.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

struct Builder {
  std::span<const Tensor> tensors;
  const Demands& demands;
  void* handle;
  const Timer& timer;
  int tried;

  using Made = std::unique_ptr<LibraryPlan>;
  Made operator()(const fused::ConvForward& o) const { return conv(o); }
  Made operator()(const fused::ConvBackwardData& o) const { return conv(o); }
  Made operator()(const fused::ConvBackwardWeights& o) const { return conv(o); }
  Made operator()(const fused::NormForward& o) const { return legacy_norm(o, tensors, handle); }
  Made operator()(const fused::NormBackward& o) const { return legacy_norm(o, tensors, handle); }
  template <class Own>
  Made operator()(const Own&) const {
    fail(
        "internal error: an operation of convoy's own reached cuDNN: please report it with the command you ran");
  }

 private:
  template <class Op>
  Made conv(const Op& o) const {
    return legacy_conv(o, tensors, demands, handle, timer, tried);
  }
};

}  // namespace

std::unique_ptr<LibraryPlan> build_legacy(const Operation& operation, std::span<const Tensor> tensors,
                                          const Demands& demands, void* handle, const Timer& timer,
                                          int tried) {
  return std::visit(Builder{tensors, demands, handle, timer, tried}, operation);
}

}  // namespace convoy::cudnn

#include "backends/cudnn/legacy_norm.h"

#include <algorithm>
#include <string>
#include <vector>

#include "backends/cudnn/descriptors.h"
#include "backends/cudnn/operands.h"

namespace convoy::cudnn {
namespace {

constexpr cudnnBatchNormMode_t mode = CUDNN_BATCHNORM_SPATIAL_PERSISTENT;
constexpr float one = 1, zero = 0;
constexpr size_t alignment = 256;

cudnnBatchNormOps_t ops_of(Id mask, Id addend) {
  if (mask < 0) return CUDNN_BATCHNORM_OPS_BN;
  return addend < 0 ? CUDNN_BATCHNORM_OPS_BN_ACTIVATION : CUDNN_BATCHNORM_OPS_BN_ADD_ACTIVATION;
}

// What both passes have: the descriptors, where slices of images begin, ones and zeros where the norm is not affine, and
// scratch for vectors that nobody asked for.
class NormPlan : public LibraryPlan {
 public:
  NormPlan(std::span<const Tensor> tensors, void* handle, Id x, Id mask, Id addend, int first, int count)
      : tensors_(tensors.begin(), tensors.end()),
        handle_(static_cast<cudnnHandle_t>(handle)),
        first_(first),
        count_(count),
        ops_(ops_of(mask, addend)),
        channels_(at(x).c),
        maps_(tensor_of(slice_of(at(x), first, count).tensor)) {
    check(cudnnDeriveBNTensorDescriptor(vector_, maps_, mode), "description of batch norm's vectors");
    check(cudnnSetActivationDescriptor(relu_, CUDNN_ACTIVATION_RELU, CUDNN_NOT_PROPAGATE_NAN, 0), "ReLU");
    if (mask < 0) return;
    check(cudnnGetBatchNormalizationTrainingExReserveSpaceSize(handle_, mode, ops_, relu_, maps_, &reserve_),
          "size of batch norm's reserve");
    const size_t room = slice_of(at(mask), first, count).tensor.bytes();
    require(
        reserve_ <= room,
        "{}: cuDNN wants {} bytes for a ReLU's mask where the plan has {}: take another version of cuDNN, or a "
        "GPU of compute capability 8.0 or above",
        at(mask).name, reserve_, room);
  }

  std::string engine() const override { return "legacy persistent batch norm"; }
  size_t workspace_bytes() const override { return vectors_at() + 2 * vector_bytes(); }
  std::vector<float> constants() const override {
    std::vector<float> values(2 * vector_bytes() / sizeof(float), 0.0f);
    std::fill_n(values.begin(), vector_bytes() / sizeof(float), 1.0f);
    return values;
  }
  std::string serialize() const override { return {}; }

 protected:
  const Tensor& at(Id id) const { return tensors_[static_cast<size_t>(id)]; }
  size_t vector_bytes() const {
    return (static_cast<size_t>(channels_) * sizeof(float) + alignment - 1) / alignment * alignment;
  }
  size_t vectors_at() const { return (library_workspace_ + alignment - 1) / alignment * alignment; }
  std::byte* spare(const DeviceMemory& memory, int which) const {
    return memory.workspace + vectors_at() + static_cast<size_t>(which) * vector_bytes();
  }
  std::byte* ones(const DeviceMemory& memory) const { return memory.constants; }
  std::byte* zeros(const DeviceMemory& memory) const { return memory.constants + vector_bytes(); }
  std::byte* map(const DeviceMemory& memory, Id id) const {
    return id < 0 ? nullptr : vector(memory, id) + slice_of(at(id), first_, count_).offset;
  }
  static std::byte* vector(const DeviceMemory& memory, Id id) {
    return memory.address[static_cast<size_t>(id)];
  }
  cudnnTensorDescriptor_t maps_if(Id id) const {
    return id < 0 ? nullptr : static_cast<cudnnTensorDescriptor_t>(maps_);
  }

  std::vector<Tensor> tensors_;
  cudnnHandle_t handle_;
  int first_, count_;
  cudnnBatchNormOps_t ops_;
  int channels_;
  TensorDescriptor maps_, vector_;
  ActivationDescriptor relu_;
  size_t library_workspace_ = 0, reserve_ = 0;
};

// The running statistics with factor 1 are the minibatch's own, the variance by n - 1; what they were is multiplied by zero,
// and is therefore cleared of what would not vanish so.
class ForwardPlan final : public NormPlan {
 public:
  ForwardPlan(const fused::NormForward& o, std::span<const Tensor> tensors, void* handle)
      : NormPlan(tensors, handle, o.x, o.mask, o.addend, o.first, o.count), o_(o) {
    require(o.addend < 0 || o.mask >= 0, "{}: cuDNN's older interface adds to a batch norm only under a ReLU",
            at(o.y).name);
    check(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
              handle_, mode, ops_, maps_, maps_if(o.addend), maps_, vector_, relu_, &library_workspace_),
          "size of batch norm's workspace");
  }
  void execute(void* handle, const DeviceMemory& memory) override {
    const auto library = static_cast<cudnnHandle_t>(handle);
    std::byte* const running_mean = spare(memory, 0);
    std::byte* const variance = vector(memory, o_.variance);
    check(cudnnSetTensor(library, vector_, running_mean, &zero), "clearing");
    check(cudnnSetTensor(library, vector_, variance, &zero), "clearing");
    const std::byte* const scale = o_.scale < 0 ? ones(memory) : vector(memory, o_.scale);
    const std::byte* const shift = o_.shift < 0 ? zeros(memory) : vector(memory, o_.shift);
    check(cudnnBatchNormalizationForwardTrainingEx(
              library, mode, ops_, &one, &zero, maps_, map(memory, o_.x), maps_if(o_.addend),
              map(memory, o_.addend), maps_, map(memory, o_.y), vector_, scale, shift, 1.0, running_mean,
              variance, static_cast<double>(o_.epsilon), vector(memory, o_.mean), vector(memory, o_.inv_std),
              relu_, memory.workspace, library_workspace_, map(memory, o_.mask), reserve_),
          "batch norm forward");
  }

 private:
  fused::NormForward o_;
};

class BackwardPlan final : public NormPlan {
 public:
  BackwardPlan(const fused::NormBackward& o, std::span<const Tensor> tensors, void* handle)
      : NormPlan(tensors, handle, o.x, o.mask, o.d_addend, o.first, o.count), o_(o) {
    ensure(o.mask < 0 || o.y >= 0);  // separate.h gives it
    check(cudnnGetBatchNormalizationBackwardExWorkspaceSize(handle_, mode, ops_, maps_, maps_if(o.y), maps_,
                                                            maps_if(o.d_addend), maps_, vector_, relu_,
                                                            &library_workspace_),
          "size of batch norm's workspace");
  }
  void execute(void* handle, const DeviceMemory& memory) override {
    const std::byte* const scale = o_.scale < 0 ? ones(memory) : vector(memory, o_.scale);
    const std::byte* const shift = o_.shift < 0 ? zeros(memory) : vector(memory, o_.shift);
    std::byte* const dscale = o_.dscale < 0 ? spare(memory, 0) : vector(memory, o_.dscale);
    std::byte* const dshift = o_.dshift < 0 ? spare(memory, 1) : vector(memory, o_.dshift);
    check(cudnnBatchNormalizationBackwardEx(
              static_cast<cudnnHandle_t>(handle), mode, ops_, &one, &zero, &one, &zero, maps_,
              map(memory, o_.x), maps_if(o_.y), map(memory, o_.y), maps_, map(memory, o_.dy),
              maps_if(o_.d_addend), map(memory, o_.d_addend), maps_, map(memory, o_.dx), vector_, scale,
              shift, dscale, dshift, static_cast<double>(o_.epsilon), vector(memory, o_.mean),
              vector(memory, o_.inv_std), relu_, memory.workspace, library_workspace_, map(memory, o_.mask),
              reserve_),
          "batch norm backward");
  }

 private:
  fused::NormBackward o_;
};

}  // namespace

std::unique_ptr<LibraryPlan> legacy_norm(const fused::NormForward& o, std::span<const Tensor> tensors,
                                         void* handle) {
  return std::make_unique<ForwardPlan>(o, tensors, handle);
}

std::unique_ptr<LibraryPlan> legacy_norm(const fused::NormBackward& o, std::span<const Tensor> tensors,
                                         void* handle) {
  return std::make_unique<BackwardPlan>(o, tensors, handle);
}

}  // namespace convoy::cudnn

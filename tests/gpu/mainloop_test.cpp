// Main-loop fusion's operations on a GPU against the interpreter, one by one, in fp16 with outputs poisoned before: cuDNN's
// within the rounding of 16-bit outputs, our own to the last bit.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "backends/cudnn/cuda_device.h"
#include "tests/support/fused_bench.h"
#include "tests/support/noise.h"

namespace convoy::cudnn {
namespace {

using namespace fused;
using convoy::testing::noise;

constexpr int n = 8, size = 14;

// Tensors on the host and on the device.
class Twin {
 public:
  Twin() : device_(make_cuda_device(0)), queue_(device_->make_queue()) {}
  ~Twin() {
    for (std::byte* memory : memory_) device_->release(memory, Place::device);
  }
  Twin(const Twin&) = delete;
  Twin& operator=(const Twin&) = delete;

  Id map(int channels, int side = size, Type type = Type::f16) {
    return add({.type = type, .n = n, .h = side, .w = side, .c = channels, .channels = channels}, 1.0f, 0.0f);
  }
  Id filter(int outputs, int kernel, int inputs) {
    return add({.type = Type::f16, .n = outputs, .h = kernel, .w = kernel, .c = inputs, .channels = inputs},
               1.0f / std::sqrt(static_cast<float>(kernel * kernel * inputs)), 0.0f);
  }
  Id vector(int channels, Type type = Type::f32, float around = 0.0f) {
    return add({.type = type, .c = channels, .channels = channels}, 1.0f, around);
  }
  Normalized norm(int channels) {
    return {map(channels), vector(channels), vector(channels, Type::f32, 2.0f),
            vector(channels, Type::f32, 1.0f), vector(channels)};
  }

  // The largest difference of any output, relative to its norm; own operations: 0 where every bit is the same.
  double difference(const Operation& operation) {
    std::vector<std::byte*> address;
    for (size_t t = 0; t < bench_.tensors().size(); ++t) {
      const Tensor& tensor = bench_.tensors()[t];
      while (memory_.size() <= t)
        memory_.push_back(device_->allocate(bench_.tensors()[memory_.size()].bytes() + 64, Place::device));
      queue_->copy(memory_[t], bench_.at<std::byte>(static_cast<Id>(t)), tensor.bytes());
      address.push_back(memory_[t]);
    }
    const std::vector<std::byte> poison(size_t{1} << 22, std::byte{0xff});
    for (const Id id : writes(operation))
      queue_->copy(address[static_cast<size_t>(id)], poison.data(), of(id).bytes());
    const Bound bound{bench_.tensors(), address, &bench_.facts};
    const auto code = device_->prepare(operation, bound, Precision::fp16, true);
    INFO(code->implementation());
    std::byte* workspace = device_->allocate(code->workspace_bytes(), Place::device);
    code->enqueue(*queue_, workspace);
    queue_->finish();
    device_->release(workspace, Place::device);
    bench_.run(operation);
    double worst = 0;
    for (const Id id : writes(operation))
      worst = std::max(worst, compare(id, address[static_cast<size_t>(id)]));
    return worst;
  }

 private:
  const Tensor& of(Id id) const { return bench_.tensors()[static_cast<size_t>(id)]; }
  Id add(const Tensor& tensor, float scale, float around) {
    if (tensor.type == Type::bits) return bench_.add(tensor);
    std::vector<float> values = noise(static_cast<size_t>(tensor.elements()), bench_.tensors().size());
    for (float& value : values) value = around + 2 * scale * value;
    return bench_.add(tensor, values);
  }
  double compare(Id id, const std::byte* there) {
    std::vector<std::byte> here(of(id).bytes());
    queue_->copy(here.data(), there, here.size());
    queue_->finish();
    if (of(id).type == Type::bits)
      return std::memcmp(here.data(), bench_.at<std::byte>(id), here.size()) == 0 ? 0 : 1;
    const std::vector<float> wanted = bench_.values(id);
    std::memcpy(bench_.at<std::byte>(id), here.data(), here.size());
    const std::vector<float> made = bench_.values(id);
    double squares = 0, norm = 0;
    for (size_t i = 0; i < made.size(); ++i) {
      squares += std::pow(static_cast<double>(made[i]) - static_cast<double>(wanted[i]), 2);
      norm += std::pow(static_cast<double>(wanted[i]), 2);
    }
    return std::isfinite(squares) ? std::sqrt(squares / norm) : INFINITY;
  }

  std::shared_ptr<Device> device_;
  std::unique_ptr<Queue> queue_;
  fused::testing::Bench bench_;
  std::vector<std::byte*> memory_;
};

Conv conv_of(int outputs, int kernel, int stride) {
  return {outputs, {kernel, kernel}, {stride, stride}, {kernel / 2, kernel / 2}, 1, false};
}

// Outputs of 16 bits are off by 2^-12 of themselves each side; sums may be taken before that rounding or behind it.
constexpr double library = 0x1p-8;

}  // namespace

TEST_CASE("main-loop fusion on a GPU: convolutions with sums, and gradients of their weights") {
  for (const auto& [kernel, stride] : {std::pair{1, 1}, {3, 1}, {1, 2}, {3, 2}})
    for (const bool folded : {false, true}) {
      INFO("kernel " << kernel << ", stride " << stride << (folded ? ", folded" : ""));
      Twin twin;
      const int side = size / stride;
      ConvStatistics conv{};
      conv.conv = conv_of(64, kernel, stride);
      conv.x = twin.map(32), conv.w = twin.filter(64, kernel, 32), conv.y = twin.map(64, side);
      conv.sum = twin.vector(64), conv.squares = twin.vector(64);
      if (folded) conv.scale = twin.vector(32, Type::f16, 1.0f), conv.shift = twin.vector(32, Type::f16);
      CHECK(twin.difference(conv) < library);
      if (!folded) continue;
      ConvBackwardWeights weights{};
      weights.conv = conv.conv, weights.x = conv.x, weights.dy = twin.map(64, side);
      weights.dw = twin.filter(64, kernel, 32), weights.scale = conv.scale, weights.shift = conv.shift;
      CHECK(twin.difference(weights) < library);
    }
}

TEST_CASE("main-loop fusion on a GPU: gradients with the norms' sums") {
  for (const auto& [kernel, stride] : {std::pair{1, 1}, {3, 1}, {3, 2}})
    for (const char* join : {"folded", "residual", "other"}) {
      const bool folded = join == std::string("folded");
      if (!folded && stride != 1) continue;
      INFO("kernel " << kernel << ", stride " << stride << ", " << join);
      Twin twin;
      ConvBackwardNorm op{};
      op.conv = conv_of(64, kernel, stride);
      op.dy = twin.map(64, size / stride), op.w = twin.filter(64, kernel, 128);
      op.norm = twin.norm(128), op.g = twin.map(128);
      op.dscale = twin.vector(128), op.dshift = twin.vector(128);
      if (!folded) op.addend = twin.map(128);
      if (join == std::string("residual")) op.residual = twin.map(128);
      if (join == std::string("other")) {
        op.other = twin.norm(128);
        op.other_dscale = twin.vector(128), op.other_dshift = twin.vector(128);
      }
      CHECK(twin.difference(op) < library);
    }
}

TEST_CASE("main-loop fusion on a GPU: our own operations have the host's bits") {
  for (const int channels : {32, 12}) {
    Twin twin;
    const Normalized norm = twin.norm(channels), other = twin.norm(channels);
    NormJoin join{};
    join.norm = norm, join.other = other, join.y = twin.map(channels), join.relu = true;
    join.mask = twin.map(channels, size, Type::bits);
    CHECK(twin.difference(join) == 0);
    CHECK(twin.difference(NormApply{n * size * size, norm, twin.map(channels), twin.vector(channels),
                                    twin.vector(channels), twin.map(channels)}) == 0);
    NormFinalize last{};
    last.count = 1000, last.sum = twin.vector(channels),
    last.squares = twin.vector(channels, Type::f32, 100.0f);
    last.scale = norm.scale, last.shift = norm.shift, last.mean = twin.vector(channels);
    last.inv_std = twin.vector(channels), last.variance = twin.vector(channels);
    last.to_scale = twin.vector(channels, Type::f16), last.to_shift = twin.vector(channels, Type::f16);
    CHECK(twin.difference(last) == 0);
  }
}

}  // namespace convoy::cudnn

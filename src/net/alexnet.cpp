#include "net/alexnet.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace convoy {
namespace {

// conv, relu and pool with the bookkeeping of names that Caffe's prototxt files do by hand.
class CaffeWriter {
 public:
  CaffeWriter(const AlexnetOptions& options, const char* name, int input)
      : options_(options),
        normalized_(options.kind == AlexnetOptions::Kind::bn),
        build_(name, {3, input, input}) {}

  Graph write() {
    conv(1, 96, 11, 4, 0, 1, 0.0f);
    lrn(1);
    pool(1);
    norm(2);
    conv(2, 256, 5, 1, 2, 2, 0.1f);
    lrn(2);
    pool(2);
    norm(3);
    conv(3, 384, 3, 1, 1, 1, 0.0f);
    norm(4);
    conv(4, 384, 3, 1, 1, 2, 0.1f);
    norm(5);
    conv(5, 256, 3, 1, 1, 2, 0.1f);
    pool(5);
    hidden(6);
    hidden(7);
    x_ = build_.linear("fc8", x_, {options_.classes, true}, {Init::Kind::normal, 0.01f},
                       {Init::Kind::constant, normalized_ ? 0.01f : 0.0f});
    build_.softmax_loss("loss", x_, options_.label_smoothing);
    return build_.finish();
  }

 private:
  static std::string numbered(const char* layer, int number) { return fmt::format("{}{}", layer, number); }

  void conv(int number, int outputs, int kernel, int stride, int padding, int groups, float original_bias) {
    const Conv op{outputs, {kernel, kernel}, {stride, stride}, {padding, padding}, groups, true};
    const float bias = normalized_ ? 0.01f : original_bias;
    x_ = build_.conv(numbered("conv", number), x_, op, {Init::Kind::normal, 0.01f},
                     {Init::Kind::constant, bias});
    x_ = build_.relu(numbered("relu", number), x_);
  }

  void lrn(int number) {
    if (!normalized_) x_ = build_.lrn(numbered("norm", number), x_, {5, 1e-4f, 0.75f, 1.0f});
  }

  void norm(int number) {
    if (normalized_) x_ = build_.batchnorm(numbered("bn", number), x_, options_.norm);
  }

  void pool(int number) {
    const int size = build_.shape(x_).height;
    require(size >= 3 && (size - 3) % 2 == 0, Exit::usage,
            "alexnet: at this input size pool{} would see a map of {}x{}, whose border Caffe pools and "
            "convoy does not; use 227 (or 67, 99, 131, 163, 195)",
            number, size, size);
    x_ = build_.pool(numbered("pool", number), x_, {Pool::Kind::max, {3, 3}, {2, 2}, {0, 0}});
  }

  void hidden(int number) {
    x_ = build_.linear(numbered("fc", number), x_, {4096, true}, {Init::Kind::normal, 0.005f},
                       {Init::Kind::constant, 0.1f});
    x_ = build_.relu(numbered("relu", number), x_);
    x_ = build_.dropout(numbered("drop", number), x_, options_.dropout);
  }

  const AlexnetOptions& options_;
  bool normalized_;
  GraphBuilder build_;
  int x_ = 0;
};

// PyTorch's default for convolutions and linear layers: weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
Init pytorch_default(int64_t fan_in) {
  return {Init::Kind::uniform, static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)))};
}

Graph torchvision(const AlexnetOptions& options, int input) {
  GraphBuilder build("alexnet-torchvision", {3, input, input});
  int x = 0;
  const auto features = [&](int number, int outputs, int kernel, int stride, int padding) {
    const Init init = pytorch_default(int64_t{build.shape(x).channels} * kernel * kernel);
    x = build.conv(fmt::format("features.{}", number), x,
                   {outputs, {kernel, kernel}, {stride, stride}, {padding, padding}, 1, true}, init, init);
    x = build.relu(fmt::format("features.{}", number + 1), x);
  };
  const auto pool = [&](int number) {
    x = build.pool(fmt::format("features.{}", number), x, {Pool::Kind::max, {3, 3}, {2, 2}, {0, 0}});
  };
  const auto classifier = [&](int number, int outputs) {
    const Init init = pytorch_default(build.shape(x).elements());
    x = build.linear(fmt::format("classifier.{}", number), x, {outputs, true}, init, init);
  };
  features(0, 64, 11, 4, 2);
  pool(2);
  features(3, 192, 5, 1, 2);
  pool(5);
  features(6, 384, 3, 1, 1);
  features(8, 256, 3, 1, 1);
  features(10, 256, 3, 1, 1);
  pool(12);
  const int size = build.shape(x).height;
  require(size % 6 == 0, Exit::usage,
          "alexnet-torchvision: its adaptive average pooling to 6x6 is supported where the map before it is "
          "a multiple of 6, which at input {} is {}x{}; use 224",
          input, size, size);
  if (size > 6)
    x = build.pool("avgpool", x, {Pool::Kind::average, {size / 6, size / 6}, {size / 6, size / 6}, {0, 0}});
  x = build.dropout("classifier.0", x, options.dropout);
  classifier(1, 4096);
  x = build.relu("classifier.2", x);
  x = build.dropout("classifier.3", x, options.dropout);
  classifier(4, 4096);
  x = build.relu("classifier.5", x);
  classifier(6, options.classes);
  build.softmax_loss("loss", x, options.label_smoothing);
  return build.finish();
}

}  // namespace

Graph alexnet(const AlexnetOptions& options) {
  const int input = options.input != 0                                  ? options.input
                    : options.kind == AlexnetOptions::Kind::torchvision ? 224
                                                                        : 227;
  switch (options.kind) {
    case AlexnetOptions::Kind::original:
      return CaffeWriter(options, "alexnet-original", input).write();
    case AlexnetOptions::Kind::bn:
      return CaffeWriter(options, "alexnet-bn", input).write();
    case AlexnetOptions::Kind::torchvision:
      return torchvision(options, input);
  }
  fail("alexnet: unknown kind");
}

}  // namespace convoy

#include "net/resnet.h"

#include <array>
#include <cmath>
#include <string>

#include "base/error.h"

namespace convoy {
namespace {

struct Family {
  int depth;
  bool bottleneck;
  std::array<int, 4> blocks;
};

constexpr Family families[] = {{18, false, {2, 2, 2, 2}},
                               {34, false, {3, 4, 6, 3}},
                               {50, true, {3, 4, 6, 3}},
                               {101, true, {3, 4, 23, 3}},
                               {152, true, {3, 8, 36, 3}}};

const Family& family_of(int depth) {
  for (const Family& family : families)
    if (family.depth == depth) return family;
  fail(Exit::usage, "there is no ResNet-{}; choose 18, 34, 50, 101 or 152", depth);
}

std::string name_of(const ResnetOptions& options, const Family& family) {
  const char* variant = !family.bottleneck                              ? "v1=v1.5"
                        : options.variant == ResnetOptions::Variant::v1 ? "v1"
                                                                        : "v1.5";
  return fmt::format("resnet{}-{}{}{}", family.depth, variant,
                     options.stem == ResnetOptions::Stem::small ? "-small-stem" : "",
                     options.width == 64 ? "" : fmt::format("-width{}", options.width));
}

class Writer {
 public:
  Writer(const ResnetOptions& options, const Family& family)
      : options_(options),
        family_(family),
        build_(name_of(options, family), {3, options.input, options.input}) {}

  Graph write() {
    int x = stem();
    for (int stage = 0; stage < 4; ++stage)
      for (int block = 0; block < family_.blocks[static_cast<size_t>(stage)]; ++block)
        x = residual(fmt::format("layer{}.{}", stage + 1, block), x, options_.width << stage,
                     stage > 0 && block == 0 ? 2 : 1);
    const Shape map = build_.shape(x);
    const Extent whole{map.height, map.width};
    x = build_.pool("avgpool", x, {Pool::Kind::average, whole, whole, {0, 0}});
    const bool pytorch = options_.classifier == ResnetOptions::Classifier::pytorch;
    const Init uniform{Init::Kind::uniform, 1.0f / std::sqrt(static_cast<float>(map.channels))};
    x = build_.linear("fc", x, {options_.classes, true}, pytorch ? uniform : Init{Init::Kind::normal, 0.01f},
                      pytorch ? uniform : Init{});
    build_.softmax_loss("loss", x, options_.label_smoothing);
    return build_.finish();
  }

 private:
  int stem() {
    if (options_.stem == ResnetOptions::Stem::small)
      return conv_norm("conv1", "bn1", 0, options_.width, 3, 1, true);
    const int x = conv_norm("conv1", "bn1", 0, options_.width, 7, 2, true);
    return build_.pool("maxpool", x, {Pool::Kind::max, {3, 3}, {2, 2}, {1, 1}});
  }

  int conv_norm(const std::string& conv, const std::string& norm, int src, int outputs, int kernel,
                int stride, bool relu, float gamma = 1.0f) {
    const int around = kernel / 2;
    const float deviation = std::sqrt(2.0f / static_cast<float>(kernel * kernel * outputs));
    int x = build_.conv(conv, src, {outputs, {kernel, kernel}, {stride, stride}, {around, around}, 1, false},
                        {Init::Kind::normal, deviation});
    x = build_.batchnorm(norm, x, options_.norm, gamma);
    return relu ? build_.relu(norm + ".relu", x) : x;
  }

  int residual(const std::string& name, int src, int width, int stride) {
    const float last = options_.zero_gamma ? 0.0f : 1.0f;
    const auto part = [&](int i, int x, int outputs, int kernel, int step, bool ends) {
      return conv_norm(fmt::format("{}.conv{}", name, i), fmt::format("{}.bn{}", name, i), x, outputs, kernel,
                       step, !ends, ends ? last : 1.0f);
    };
    const int outputs = family_.bottleneck ? 4 * width : width;
    int x = src;
    if (family_.bottleneck) {
      const bool v1 = options_.variant == ResnetOptions::Variant::v1;
      x = part(1, x, width, 1, v1 ? stride : 1, false);
      x = part(2, x, width, 3, v1 ? 1 : stride, false);
      x = part(3, x, outputs, 1, 1, true);
    } else {
      x = part(1, x, width, 3, stride, false);
      x = part(2, x, width, 3, 1, true);
    }
    int shortcut = src;
    if (stride != 1 || build_.shape(src).channels != outputs)
      shortcut = conv_norm(name + ".downsample.0", name + ".downsample.1", src, outputs, 1, stride, false);
    return build_.relu(name + ".relu", build_.add(name + ".add", x, shortcut));
  }

  const ResnetOptions& options_;
  const Family& family_;
  GraphBuilder build_;
};

}  // namespace

Graph resnet(const ResnetOptions& options) {
  require(options.width > 0, Exit::usage, "a ResNet of width {}: the first stage needs at least one channel",
          options.width);
  return Writer(options, family_of(options.depth)).write();
}

}  // namespace convoy

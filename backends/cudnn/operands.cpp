#include "backends/cudnn/operands.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace convoy::cudnn {

using fused::ConvBackwardData;
using fused::ConvBackwardNorm;
using fused::ConvBackwardWeights;
using fused::ConvForward;
using fused::ConvStatistics;
using fused::Id;
using fused::NormBackward;
using fused::NormForward;
using fused::Operation;
using fused::Tensor;
using fused::Type;

namespace {

const char* name_of(Type type) {
  switch (type) {
    case Type::f32:
      return "f32";
    case Type::f16:
      return "f16";
    case Type::bf16:
      return "bf16";
    case Type::u8:
      return "u8";
    case Type::i32:
      return "i32";
    case Type::bits:
      return "bits";
  }
  return "?";
}

using Operands = std::initializer_list<std::pair<const char*, Id>>;

struct Words {
  std::span<const Tensor> tensors;

  std::string list(const char* name, Operands operands, const std::string& rest) const {
    std::string text = name;
    const char* before = " ";
    for (const auto& [role, id] : operands) {
      if (id < 0) continue;
      const Tensor& t = tensors[static_cast<size_t>(id)];
      text += fmt::format("{}{} {}x{}x{}x{} {}", before, role, t.n, t.h, t.w, t.c, name_of(t.type));
      before = ", ";
    }
    return text + rest;
  }
  static std::string window(const Conv& c) {
    return fmt::format(", stride {}x{}, padding {}x{}, groups {}", c.stride.height, c.stride.width,
                       c.padding.height, c.padding.width, c.groups);
  }
  static std::string images(int first, int count) { return fmt::format(", images {}+{}", first, count); }

  std::string operator()(const ConvForward& o) const {
    return list(
        "conv forward",
        {{"x", o.x}, {"w", o.w}, {"scale", o.scale}, {"shift", o.shift}, {"addend", o.addend}, {"y", o.y}},
        window(o.conv) + (o.relu ? ", relu" : ""));
  }
  std::string operator()(const ConvBackwardData& o) const {
    return list("conv backward data", {{"dy", o.dy}, {"w", o.w}, {"dx", o.dx}},
                window(o.conv) + (o.adds ? ", added" : ""));
  }
  std::string operator()(const ConvBackwardWeights& o) const {
    return list("conv backward weights", {{"x", o.x}, {"scale", o.scale}, {"dy", o.dy}, {"dw", o.dw}},
                window(o.conv));
  }
  std::string operator()(const ConvStatistics& o) const {
    return list("conv and statistics", {{"x", o.x}, {"scale", o.scale}, {"w", o.w}, {"y", o.y}},
                window(o.conv));
  }
  std::string operator()(const ConvBackwardNorm& o) const {
    return list("conv backward data and norm",
                {{"dy", o.dy},
                 {"w", o.w},
                 {"addend", o.addend},
                 {"norm", o.norm.x},
                 {"other norm", o.other.x},
                 {"residual", o.residual},
                 {"g", o.g}},
                window(o.conv));
  }
  std::string operator()(const NormForward& o) const {
    return list("norm forward",
                {{"x", o.x}, {"scale", o.scale}, {"addend", o.addend}, {"y", o.y}, {"mask", o.mask}},
                images(o.first, o.count) + fmt::format(", epsilon {:a}", static_cast<double>(o.epsilon)));
  }
  std::string operator()(const NormBackward& o) const {
    return list("norm backward",
                {{"dy", o.dy},
                 {"mask", o.mask},
                 {"x", o.x},
                 {"scale", o.scale},
                 {"dx", o.dx},
                 {"d_addend", o.d_addend}},
                images(o.first, o.count));
  }
  template <class Own>
  std::string operator()(const Own&) const {
    fail(
        "internal error: an operation of convoy's own reached cuDNN: please report it with the command you ran");
  }
};

struct Subject {
  Id operator()(const ConvForward& o) const { return o.y; }
  Id operator()(const ConvBackwardData& o) const { return o.w; }
  Id operator()(const ConvBackwardWeights& o) const { return o.dw; }
  Id operator()(const ConvStatistics& o) const { return o.y; }
  Id operator()(const ConvBackwardNorm& o) const { return o.w; }
  Id operator()(const NormForward& o) const { return o.y; }
  Id operator()(const NormBackward& o) const { return o.x; }
  template <class Own>
  Id operator()(const Own&) const {
    return -1;
  }
};

Tensor flat(const Tensor& t) {
  Tensor f = t;
  f.c = t.h * t.w * t.c;
  f.h = f.w = 1;
  return f;
}

}  // namespace

ConvShape conv_shape(const Conv& conv, const Tensor& x, const Tensor& w, const Tensor& y) {
  const bool whole_map = conv.groups == 1 && y.h == 1 && y.w == 1 && w.h == x.h && w.w == x.w && x.c == w.c &&
                         conv.padding == Extent{0, 0};
  if (!whole_map) return {conv, x, w, y};
  Conv product = conv;
  product.kernel = product.stride = Extent{1, 1};
  return {product, flat(x), flat(w), y};
}

Slice slice_of(const Tensor& whole, int first, int count) {
  if (whole.n == count) return {whole, 0};
  ensure(first >= 0 && count > 0 && first + count <= whole.n);
  Tensor image = whole, part = whole;
  image.n = 1;
  part.n = count;
  const int64_t bits =
      whole.type == Type::bits ? 1 : static_cast<int64_t>(8 * image.bytes()) / image.elements();
  const int64_t offset = first * image.elements() * bits;
  require(
      offset % 128 == 0,
      "cuDNN cannot start at image {} of {}: it is not aligned to 16 bytes; take another batch norm group",
      first, whole.name);
  return {part, static_cast<size_t>(offset / 8)};
}

std::string describe(const Operation& operation, std::span<const Tensor> tensors) {
  return std::visit(Words{tensors}, operation);
}

std::string subject_of(const Operation& operation, std::span<const Tensor> tensors) {
  const Id id = std::visit(Subject{}, operation);
  return id < 0 ? std::string() : tensors[static_cast<size_t>(id)].name;
}

}  // namespace convoy::cudnn

#include "backends/onednn/emit_winograd.h"

#include <string>
#include <vector>

#include "backends/onednn/kernels.h"

namespace convoy::onednn {
namespace {

using dnnl::memory;

bool has_layout(const Desc& desc, memory::format_tag tag) {
  return desc == Desc(shim::dims_of(desc), memory::data_type::f32, tag);
}

// Products per output, 16 a tile, at most three quarters of the 9 of the definition; and transformed weights used often enough.
bool worth_it(const winograd::Shape& shape) {
  constexpr int64_t least_tiles = 32;
  const int64_t outputs = shape.images * shape.out_height() * shape.out_width();
  return 4 * 16 * shape.tiles() <= 3 * 9 * outputs && shape.tiles() >= least_tiles;
}

Desc vector_of(size_t numbers) {
  return {{static_cast<int64_t>(numbers)}, memory::data_type::f32, memory::format_tag::x};
}

View flat(Builder& to, std::span<float> numbers) { return to.fixed(numbers, vector_of(numbers.size())); }
View weights_of(Builder& to, int id) { return flat(to, to.param(to.node(id).params[0])); }

// In training weights change with every step, and their transforms are made again for each use.
View transformed(Builder& to, int id, const WinogradConv& conv, const ChannelFactor& factor) {
  const View weights = weights_of(to, id);
  const Desc desc = vector_of(conv.shape.transformed_weights());
  if (to.training()) {
    const View made = to.planned(desc);
    to.own("winograd_weights", {weights, made}, [=](const Run& run) {
      winograd::transform(*conv.units, conv.shape, run.at(weights), run.at(made));
    });
    return made;
  }
  return to.derived("winograd_weights", weights, desc,
                    [conv, factor, factors = std::vector<float>(static_cast<size_t>(conv.shape.outputs))](
                        const float* from, float* made) mutable {
                      winograd::transform(*conv.units, conv.shape, from, made);
                      if (!factor) return;
                      for (size_t o = 0; o < factors.size(); ++o) factors[o] = static_cast<float>(factor(o));
                      winograd::scale(*conv.units, conv.shape, factors, made);
                    });
}

}  // namespace

std::optional<WinogradConv> winograd_conv(const Builder& to, int id, const Conv& op,
                                          const shim::ConvForward& direct) {
  constexpr Extent taps{3, 3}, one{1, 1};
  if (!to.may_use_winograd() || to.map_type() != memory::data_type::f32 || op.kernel != taps ||
      op.stride != one || op.groups != 1 || op.padding.height != op.padding.width)
    return std::nullopt;
  const std::string name = direct.impl_info_str();  // "jit:avx512_core"
  const winograd::Units* units = winograd::units_for(name.substr(name.rfind(':') + 1));
  if (units == nullptr) return std::nullopt;
  const Shape& in = to.node(to.node(id).inputs[0]).shape;
  winograd::Shape shape{to.program().images, in.channels, op.outputs, in.height, in.width, op.padding.height};
  const Desc src = direct.src_desc(), dst = direct.dst_desc();
  const auto blocks =
      winograd::block_of(*units) == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c;
  shape.channels_last =
      has_layout(src, memory::format_tag::nhwc) && has_layout(dst, memory::format_tag::nhwc);
  const bool blocked = has_layout(src, blocks) && has_layout(dst, blocks);
  if (!winograd::fits(*units, shape) || !worth_it(shape) || !(blocked || shape.channels_last))
    return std::nullopt;
  return WinogradConv{units, shape, src, dst};
}

void emit_winograd(Builder& to, int id, const WinogradConv& conv, const View& src, const WinogradTail& tail,
                   const View& dst) {
  const View weights = transformed(to, id, conv, tail.factor);
  const View scratch = to.scratch(winograd::forward_scratch(*conv.units, conv.shape, {to.threads()}));
  to.own(
      "winograd", {src, weights, tail.bias, tail.residual, dst},
      [=, bias = tail.bias, residual = tail.residual, relu = tail.relu](const Run& run) {
        const winograd::Tail then{bias ? run.at(bias) : nullptr, residual ? run.at(residual) : nullptr, relu};
        winograd::forward(*conv.units, conv.shape, run.at(src), run.at(weights), then, run.at(dst),
                          run.at(scratch), {run.threads});
      });
}

EmitBackward winograd_backward(Builder& to, int id, const WinogradConv& conv) {
  return [=, &to] {
    const Node& node = to.node(id);
    const int src_id = node.inputs[0];
    const winograd::Shape &shape = conv.shape, back = shape.of_data_gradient();
    const View gradient = to.in_layout(to.gradient(id), conv.dst);
    const View src = to.in_layout(to.recalled(src_id), conv.src);
    const View of_weights = flat(to, to.param_grad(node.params[0]));
    const View room = to.scratch(winograd::weight_gradient_scratch(*conv.units, shape, {to.threads()}));
    to.own("winograd_gradient", {src, gradient, of_weights}, [=](const Run& run) {
      winograd::weight_gradient(*conv.units, conv.shape, run.at(src), run.at(gradient), run.at(of_weights),
                                run.at(room), {run.threads});
    });
    if (std::get<Conv>(node.op).bias) {
      const View of_bias = flat(to, to.param_grad(node.params[1]));
      const BlockedMaps maps{shape.images, shape.outputs, shape.out_height() * shape.out_width(),
                             winograd::block_of(*conv.units), shape.channels_last};
      to.own("sum_channels", {gradient, of_bias},
             [=](const Run& run) { sum_channels(run.at(gradient), maps, run.at(of_bias)); });
    }
    if (!to.wants_gradient(src_id)) return;

    const View weights = weights_of(to, id), turned = to.planned(vector_of(shape.transformed_weights()));
    const View src_gradient = to.planned(conv.src);
    const View scratch = to.scratch(winograd::forward_scratch(*conv.units, back, {to.threads()}));
    to.own("winograd_weights", {weights, turned}, [=](const Run& run) {
      winograd::transform_turned(*conv.units, conv.shape, run.at(weights), run.at(turned));
    });
    to.own("winograd_data", {gradient, turned, src_gradient}, [=](const Run& run) {
      winograd::forward(*conv.units, back, run.at(gradient), run.at(turned), {}, run.at(src_gradient),
                        run.at(scratch), {run.threads});
    });
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn

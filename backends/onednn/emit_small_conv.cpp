// Convolution of small maps as a matrix product (small_maps.h). The matrix is made when the weights have changed, and its
// gradient is folded into theirs.
#include <optional>

#include "backends/onednn/builder.h"
#include "backends/onednn/small_maps.h"

namespace convoy::onednn {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;

// The order of features in an image of layout `desc`, if it is one of the dense ones.
std::optional<FeatureOrder> order_of(const Desc& desc) {
  const memory::dims dims = shim::dims_of(desc);
  using Tag = memory::format_tag;
  const int64_t pixels = dims[2] * dims[3];
  for (const auto& [tag, block] : {std::pair{Tag::nchw, int64_t{1}}, {Tag::nChw8c, 8}, {Tag::nChw16c, 16}})
    if (dims[1] % block == 0 && desc == Desc(dims, f32, tag)) return FeatureOrder{block, pixels};
  return std::nullopt;
}

std::optional<Toeplitz> toeplitz(const Conv& op, const Desc& src, const Desc& dst) {
  const memory::dims in = shim::dims_of(src),
                     out = shim::dims_of(dst);  // of the node's maps, without padding
  const auto from = order_of(src), to = order_of(dst);
  if (!from || !to) return std::nullopt;
  Toeplitz t{out[1], in[1], int64_t{op.kernel.height} * op.kernel.width, *to, *from, {}};
  for (int64_t y = 0; y < out[2]; ++y)
    for (int64_t x = 0; x < out[3]; ++x)
      for (int64_t v = 0; v < in[2]; ++v)
        for (int64_t u = 0; u < in[3]; ++u) {
          const int64_t row = v - y * op.stride.height + op.padding.height;
          const int64_t column = u - x * op.stride.width + op.padding.width;
          const bool reached = row >= 0 && row < op.kernel.height && column >= 0 && column < op.kernel.width;
          t.tap.push_back(reached ? row * op.kernel.width + column : -1);
        }
  return t;
}

// Where the matrix has no more than twice as many elements as the weights, and enough images share what it costs to make it and
// to fold its gradient. The plan's images decide, which are the experiment's, whatever the number of ranks.
bool worth_it(const Builder& to, int id, const Conv& op) {
  const Shape& in = to.node(to.node(id).inputs[0]).shape;
  return op.groups == 1 && !op.bias && to.fused_relu(id) < 0 && to.program().images >= 16 &&
         2 * in.height * in.width <= op.kernel.height * op.kernel.width &&
         op.kernel.height * op.kernel.width <= max_taps;
}

struct Products {
  shim::LinearForward forward;
  shim::LinearData data;
  shim::LinearWeights weights;
};
// None where the library has no fast kernel for one of them.
std::optional<Products> products(const Builder& to, const Desc& src, const Desc& matrix, const Desc& dst) {
  Products all;
  try {
    all.forward = shim::linear_forward(to.engine(), to.forward_kind(), src, matrix, {}, dst, to.attributes());
    if (is_reference(all.forward)) return std::nullopt;
    if (!to.training()) return all;
    all.data = shim::linear_data(to.engine(), src, matrix, dst, all.forward, to.attributes());
    all.weights = shim::linear_weights(to.engine(), src, matrix, {}, dst, all.forward, to.attributes());
    if (is_reference(all.data) || is_reference(all.weights)) return std::nullopt;
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
    return std::nullopt;
  }
  return all;
}

Desc matrix_of(int64_t rows, int64_t columns, memory::format_tag tag) { return {{rows, columns}, f32, tag}; }

}  // namespace

std::optional<EmitBackward> emit_small_conv(Builder& to, int id, const Conv& op, const Desc& src_maps,
                                            const Desc& dst_maps) {
  if (to.map_type() != f32 || !worth_it(to, id, op)) return std::nullopt;
  const std::optional<Toeplitz> t = toeplitz(op, src_maps, dst_maps);
  if (!t) return std::nullopt;
  const Node& node = to.node(id);
  const int src_id = node.inputs[0];
  const int64_t images = to.program().images;
  const Desc src_desc = matrix_of(images, t->columns(), memory::format_tag::nc);
  const Desc dst_desc = matrix_of(images, t->rows(), memory::format_tag::nc);
  const Desc matrix_desc = matrix_of(t->rows(), t->columns(), memory::format_tag::oi);

  const std::optional<Products> found = products(to, src_desc, matrix_desc, dst_desc);
  if (!found) return std::nullopt;
  const Products pd = *found;
  const Desc flat({t->outputs * t->inputs * t->taps}, f32, memory::format_tag::x);
  const View weights = to.fixed(to.param(node.params[0]), flat);
  const View matrix = to.derived("expand", weights, matrix_desc,
                                 [t = *t](const float* from, float* made) { expand(t, from, made); });
  const View src{to.in_layout(to.value(src_id), src_maps).buffer, src_desc};
  const View dst = to.planned(dst_maps);
  to.call(pd.forward, dnnl::inner_product_forward(pd.forward),
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, matrix}, {DNNL_ARG_DST, {dst.buffer, dst_desc}}});
  to.set_layout(id, dst_maps);
  to.set_value(id, dst);

  return [=, &to, t = *t] {
    const View gradient{to.in_layout(to.gradient(id), dst_maps).buffer, dst_desc};
    const View again{to.in_layout(to.recalled(src_id), src_maps).buffer, src_desc};
    const View d_matrix = to.planned(matrix_desc);
    to.call(pd.weights, dnnl::inner_product_backward_weights(pd.weights),
            {{DNNL_ARG_SRC, again}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, d_matrix}});
    const View d_weights = to.fixed(to.param_grad(to.node(id).params[0]), flat);
    to.own("fold", {d_matrix, d_weights},
           [t, d_matrix, d_weights](const Run& run) { fold(t, run.at(d_matrix), run.at(d_weights)); });
    if (!to.wants_gradient(src_id)) return;
    const View src_gradient = to.planned(src_maps);
    to.call(pd.data, dnnl::inner_product_backward_data(pd.data),
            {{DNNL_ARG_DIFF_DST, gradient},
             {DNNL_ARG_WEIGHTS, matrix},
             {DNNL_ARG_DIFF_SRC, {src_gradient.buffer, src_desc}}});
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn

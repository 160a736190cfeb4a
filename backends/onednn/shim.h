// One spelling for two generations of oneDNN: 2.x builds a primitive in two steps (operation descriptor, then primitive
// descriptor), 3.x in one. Everything else of this backend is written once against these functions; this is the only
// file that asks for the library's version. A zero memory descriptor as `bias` means none.
// Every function throws dnnl::error where the library has no implementation.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace convoy::onednn::shim {

using dnnl::algorithm;
using dnnl::engine;
using dnnl::memory;
using dnnl::normalization_flags;
using dnnl::primitive_attr;
using dnnl::prop_kind;
using Desc = dnnl::memory::desc;

struct Window {  // of a convolution or pooling, {height, width} each; padding is the same on both sides
  memory::dims kernel, strides, padding;
};

struct LrnShape {
  memory::dim size;
  float alpha, beta, k;
};

using ConvForward = dnnl::convolution_forward::primitive_desc;
using ConvData = dnnl::convolution_backward_data::primitive_desc;
using ConvWeights = dnnl::convolution_backward_weights::primitive_desc;
using NormForward = dnnl::batch_normalization_forward::primitive_desc;
using NormBackward = dnnl::batch_normalization_backward::primitive_desc;
using PoolForward = dnnl::pooling_forward::primitive_desc;
using PoolBackward = dnnl::pooling_backward::primitive_desc;
using LrnForward = dnnl::lrn_forward::primitive_desc;
using LrnBackward = dnnl::lrn_backward::primitive_desc;
using LinearForward = dnnl::inner_product_forward::primitive_desc;
using LinearData = dnnl::inner_product_backward_data::primitive_desc;
using LinearWeights = dnnl::inner_product_backward_weights::primitive_desc;

#if DNNL_VERSION_MAJOR >= 3

constexpr bool norm_backward_takes_shift = false;
inline memory::dims dims_of(const Desc& desc) { return desc.get_dims(); }
inline memory::data_type type_of(const Desc& desc) { return desc.get_data_type(); }
inline void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(algorithm::eltwise_relu, 0.0f, 0.0f); }

inline ConvForward conv_forward(const engine& on, prop_kind kind, const Desc& src, const Desc& weights,
                                const Desc& bias, const Desc& dst, const Window& w,
                                const primitive_attr& attr) {
  if (bias.is_zero())
    return {on,        kind, algorithm::convolution_direct, src, weights, dst, w.strides, w.padding,
            w.padding, attr};
  return {on,        kind, algorithm::convolution_direct, src, weights, bias, dst, w.strides, w.padding,
          w.padding, attr};
}
inline ConvData conv_data(const engine& on, const Desc& src, const Desc& weights, const Desc& dst,
                          const Window& w, const ConvForward& hint, const primitive_attr& attr) {
  return {on, algorithm::convolution_direct, src, weights, dst, w.strides, w.padding, w.padding, hint, attr};
}
inline ConvWeights conv_weights(const engine& on, const Desc& src, const Desc& weights, const Desc& bias,
                                const Desc& dst, const Window& w, const ConvForward& hint,
                                const primitive_attr& attr) {
  if (bias.is_zero())
    return {on,  algorithm::convolution_direct, src, weights, dst, w.strides, w.padding, w.padding, hint,
            attr};
  return {on,  algorithm::convolution_direct, src, weights, bias, dst, w.strides, w.padding, w.padding, hint,
          attr};
}

inline NormForward norm_forward(const engine& on, prop_kind kind, const Desc& data, float epsilon,
                                normalization_flags flags, const primitive_attr& attr) {
  return {on, kind, data, data, epsilon, flags, attr};
}
inline NormBackward norm_backward(const engine& on, const Desc& data, float epsilon,
                                  normalization_flags flags, const NormForward& hint,
                                  const primitive_attr& attr) {
  return {on, prop_kind::backward, data, data, data, epsilon, flags, hint, attr};
}

inline PoolForward pool_forward(const engine& on, prop_kind kind, algorithm how, const Desc& src,
                                const Desc& dst, const Window& w, const primitive_attr& attr) {
  return {on, kind, how, src, dst, w.strides, w.kernel, {0, 0}, w.padding, w.padding, attr};
}
inline PoolBackward pool_backward(const engine& on, algorithm how, const Desc& src, const Desc& dst,
                                  const Window& w, const PoolForward& hint, const primitive_attr& attr) {
  return {on, how, src, dst, w.strides, w.kernel, {0, 0}, w.padding, w.padding, hint, attr};
}

inline LrnForward lrn_forward(const engine& on, prop_kind kind, const Desc& data, const LrnShape& s,
                              const primitive_attr& attr) {
  return {on, kind, algorithm::lrn_across_channels, data, data, s.size, s.alpha, s.beta, s.k, attr};
}
inline LrnBackward lrn_backward(const engine& on, const Desc& data, const LrnShape& s, const LrnForward& hint,
                                const primitive_attr& attr) {
  return {on, algorithm::lrn_across_channels, data, data, data, s.size, s.alpha, s.beta, s.k, hint, attr};
}

inline LinearForward linear_forward(const engine& on, prop_kind kind, const Desc& src, const Desc& weights,
                                    const Desc& bias, const Desc& dst, const primitive_attr& attr) {
  if (bias.is_zero()) return {on, kind, src, weights, dst, attr};
  return {on, kind, src, weights, bias, dst, attr};
}
inline LinearData linear_data(const engine& on, const Desc& src, const Desc& weights, const Desc& dst,
                              const LinearForward& hint, const primitive_attr& attr) {
  return {on, src, weights, dst, hint, attr};
}
inline LinearWeights linear_weights(const engine& on, const Desc& src, const Desc& weights, const Desc& bias,
                                    const Desc& dst, const LinearForward& hint, const primitive_attr& attr) {
  if (bias.is_zero()) return {on, src, weights, dst, hint, attr};
  return {on, src, weights, bias, dst, hint, attr};
}

#else  // oneDNN 2.x

constexpr bool norm_backward_takes_shift = true;
inline memory::dims dims_of(const Desc& desc) { return desc.dims(); }
inline memory::data_type type_of(const Desc& desc) { return desc.data_type(); }
inline void append_relu(dnnl::post_ops& ops) {
  ops.append_eltwise(1.0f, algorithm::eltwise_relu, 0.0f, 0.0f);
}

inline ConvForward conv_forward(const engine& on, prop_kind kind, const Desc& src, const Desc& weights,
                                const Desc& bias, const Desc& dst, const Window& w,
                                const primitive_attr& attr) {
  using Op = dnnl::convolution_forward::desc;
  const auto how = algorithm::convolution_direct;
  if (bias.is_zero()) return {Op(kind, how, src, weights, dst, w.strides, w.padding, w.padding), attr, on};
  return {Op(kind, how, src, weights, bias, dst, w.strides, w.padding, w.padding), attr, on};
}
inline ConvData conv_data(const engine& on, const Desc& src, const Desc& weights, const Desc& dst,
                          const Window& w, const ConvForward& hint, const primitive_attr& attr) {
  using Op = dnnl::convolution_backward_data::desc;
  return {Op(algorithm::convolution_direct, src, weights, dst, w.strides, w.padding, w.padding), attr, on,
          hint};
}
inline ConvWeights conv_weights(const engine& on, const Desc& src, const Desc& weights, const Desc& bias,
                                const Desc& dst, const Window& w, const ConvForward& hint,
                                const primitive_attr& attr) {
  using Op = dnnl::convolution_backward_weights::desc;
  const auto how = algorithm::convolution_direct;
  if (bias.is_zero()) return {Op(how, src, weights, dst, w.strides, w.padding, w.padding), attr, on, hint};
  return {Op(how, src, weights, bias, dst, w.strides, w.padding, w.padding), attr, on, hint};
}

inline NormForward norm_forward(const engine& on, prop_kind kind, const Desc& data, float epsilon,
                                normalization_flags flags, const primitive_attr& attr) {
  return {dnnl::batch_normalization_forward::desc(kind, data, epsilon, flags), attr, on};
}
inline NormBackward norm_backward(const engine& on, const Desc& data, float epsilon,
                                  normalization_flags flags, const NormForward& hint,
                                  const primitive_attr& attr) {
  using Op = dnnl::batch_normalization_backward::desc;
  return {Op(prop_kind::backward, data, data, epsilon, flags), attr, on, hint};
}

inline PoolForward pool_forward(const engine& on, prop_kind kind, algorithm how, const Desc& src,
                                const Desc& dst, const Window& w, const primitive_attr& attr) {
  using Op = dnnl::pooling_forward::desc;
  return {Op(kind, how, src, dst, w.strides, w.kernel, w.padding, w.padding), attr, on};
}
inline PoolBackward pool_backward(const engine& on, algorithm how, const Desc& src, const Desc& dst,
                                  const Window& w, const PoolForward& hint, const primitive_attr& attr) {
  using Op = dnnl::pooling_backward::desc;
  return {Op(how, src, dst, w.strides, w.kernel, w.padding, w.padding), attr, on, hint};
}

inline LrnForward lrn_forward(const engine& on, prop_kind kind, const Desc& data, const LrnShape& s,
                              const primitive_attr& attr) {
  using Op = dnnl::lrn_forward::desc;
  return {Op(kind, algorithm::lrn_across_channels, data, s.size, s.alpha, s.beta, s.k), attr, on};
}
inline LrnBackward lrn_backward(const engine& on, const Desc& data, const LrnShape& s, const LrnForward& hint,
                                const primitive_attr& attr) {
  using Op = dnnl::lrn_backward::desc;
  return {Op(algorithm::lrn_across_channels, data, data, s.size, s.alpha, s.beta, s.k), attr, on, hint};
}

inline LinearForward linear_forward(const engine& on, prop_kind kind, const Desc& src, const Desc& weights,
                                    const Desc& bias, const Desc& dst, const primitive_attr& attr) {
  using Op = dnnl::inner_product_forward::desc;
  if (bias.is_zero()) return {Op(kind, src, weights, dst), attr, on};
  return {Op(kind, src, weights, bias, dst), attr, on};
}
inline LinearData linear_data(const engine& on, const Desc& src, const Desc& weights, const Desc& dst,
                              const LinearForward& hint, const primitive_attr& attr) {
  return {dnnl::inner_product_backward_data::desc(src, weights, dst), attr, on, hint};
}
inline LinearWeights linear_weights(const engine& on, const Desc& src, const Desc& weights, const Desc& bias,
                                    const Desc& dst, const LinearForward& hint, const primitive_attr& attr) {
  using Op = dnnl::inner_product_backward_weights::desc;
  if (bias.is_zero()) return {Op(src, weights, dst), attr, on, hint};
  return {Op(src, weights, bias, dst), attr, on, hint};
}

#endif

}  // namespace convoy::onednn::shim

// Winograd's loops for AVX-512: 14 tiles times 32 outputs in registers.
#include "backends/onednn/winograd_loops.h"

#ifdef __x86_64__
namespace convoy::onednn::winograd {
namespace {

#define CONVOY_AVX512 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma")]]
CONVOY_AVX512 void forward(const ForwardUnit& u) { forward_unit<Vec16, 14>(u); }
CONVOY_AVX512 void gradient(const GradientUnit& u) { gradient_unit<Vec16, 8>(u); }
CONVOY_AVX512 void transform(const WeightUnit& u) { weight_unit<Vec16, false>(u); }
CONVOY_AVX512 void transform_turned(const WeightUnit& u) { weight_unit<Vec16, true>(u); }

}  // namespace

const Units avx512{16, 14, forward, gradient, transform, transform_turned};

}  // namespace convoy::onednn::winograd
#endif

// Winograd's loops for AVX2: 6 tiles times 16 outputs in registers.
#include "backends/onednn/winograd_loops.h"

#ifdef __x86_64__
namespace convoy::onednn::winograd {
namespace {

#define CONVOY_AVX2 [[gnu::target("avx2,fma")]]
CONVOY_AVX2 void forward(const ForwardUnit& u) { forward_unit<Vec8, 6>(u); }
CONVOY_AVX2 void gradient(const GradientUnit& u) { gradient_unit<Vec8, 4>(u); }
CONVOY_AVX2 void transform(const WeightUnit& u) { weight_unit<Vec8, false>(u); }
CONVOY_AVX2 void transform_turned(const WeightUnit& u) { weight_unit<Vec8, true>(u); }

}  // namespace

const Units avx2{8, 6, forward, gradient, transform, transform_turned};

}  // namespace convoy::onednn::winograd
#endif

// CONVOY_CLONES before a function: the compiler makes it once for each of these x86 instruction sets, and the dynamic
// loader picks the one for the CPU. It reaches what is inlined into the function, and no lambda or function called from it:
// mark those `inline` and [[gnu::always_inline]]. Integer code gives the same bits in every clone, and so does f32 with
// -ffp-contract=off. Empty where the compiler, the C library or a sanitizer (which is not up yet when the loader asks)
// has none. Clang takes only names of single extensions, and its "avx2" has no FMA.
#pragma once

#include <cstddef>  // glibc's name

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONVOY_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CONVOY_SANITIZED 1
#endif
#endif

#if !defined(__x86_64__) || !defined(__GLIBC__) || defined(CONVOY_SANITIZED)
#define CONVOY_CLONES
#define CONVOY_NO_CLONES 1
#elif defined(__clang__)
#define CONVOY_CLONES __attribute__((target_clones("avx2", "default")))
#elif defined(__GNUC__)
#define CONVOY_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CONVOY_CLONES
#define CONVOY_NO_CLONES 1
#endif

namespace convoy {

// Is code that is written with vectors of 32 bytes worth calling: has the CPU such registers, and a clone that uses them?
// (Compilers emulate what is not there, more slowly than plain loops.) Sanitizers are to see that code, whatever it costs.
inline bool has_wide_vectors() {
#if defined(CONVOY_SANITIZED) || (defined(CONVOY_NO_CLONES) && defined(__AVX2__))
  return true;
#elif defined(CONVOY_NO_CLONES)
  return false;
#else
  return __builtin_cpu_supports("avx2") != 0;
#endif
}

}  // namespace convoy

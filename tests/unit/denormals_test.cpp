#include "base/denormals.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "backends/registry.h"
#include "base/half.h"
#include "train/experiment.h"
#include "train/port_options.h"

namespace convoy {
namespace {

constexpr float least = std::numeric_limits<float>::min();  // normal

struct Restored {
  bool before = flushes_denormals();
  ~Restored() { flush_denormals(before); }
};

bool can_flush() {
#if defined(__SSE2__) || defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

// Velocities after a step of momentum that makes half of them denormal, as a backend's threads compute it.
std::vector<float> velocities_after_a_step(int threads) {
  constexpr size_t size = size_t{64} * 4096;  // chunks enough for a team
  std::vector<float> w(size, 1.0f), g(size, 0.0f), v(size);
  for (size_t i = 0; i < v.size(); ++i) v[i] = i % 2 == 0 ? least : 4 * least;
  const MomentumTaskOf<float> task{w, v, g, {.momentum = 0.5f}};
  const auto backend = make_backend("onednn", threads);
  backend->vector().momentum_steps({&task, 1});
  return v;
}

Experiment parse(const std::vector<std::string>& overrides = {}) {
  return parse_experiment_text("[train]\nsteps = 1\n", "job.toml", overrides);
}

}  // namespace

TEST_CASE("denormals: kept or flushed, as operands and as results, here and on threads that start later") {
  if (!can_flush()) return;
  const Restored restored;
  volatile float normal = least, half = 0.5f, denormal = least / 4, large = 1e30f;
  for (const bool flush : {true, false, true}) {
    flush_denormals(flush);
    CHECK(flushes_denormals() == flush);
    CHECK((normal * half == 0.0f) == flush);
    CHECK((denormal * large == 0.0f) == flush);
    CHECK(normal * 2 == 2 * least);
    CHECK(static_cast<double>(normal) * 0.5 == static_cast<double>(least) / 2);  // a double holds it
    bool there = !flush;
    std::thread([&] { there = flushes_denormals(); }).join();
    CHECK(there == flush);
  }
}

TEST_CASE("denormals: the threads of a team flush, and normal numbers keep their bits") {
  if (!can_flush()) return;
  std::vector<float> kept, flushed[3];
  std::thread([&] { kept = velocities_after_a_step(4); }).join();  // a team of its own
  for (const int threads : {1, 2, 4})
    std::thread([&, threads] {
      flush_denormals(true);
      flushed[threads / 2] = velocities_after_a_step(threads);
    }).join();
  size_t others = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    const bool denormal = i % 2 == 0;
    if (kept[i] != (denormal ? least / 2 : 2 * least)) ++others;
    for (const auto& v : flushed)
      if (v[i] != (denormal ? 0.0f : 2 * least)) ++others;
  }
  CHECK(others == 0);
}

TEST_CASE("denormals: 16-bit formats round and unpack as they do with denormals") {
  const Restored restored;
  for (uint32_t upper = 0; upper < 0x10000; ++upper)
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0xffffu}) {
      const auto half = static_cast<uint16_t>(upper);
      const uint32_t bits = upper << 16 | lower;
      uint32_t seen[2][3];
      for (const bool flush : {false, true}) {
        flush_denormals(flush);
        // Read anew, or the compiler would compute once for both.
        const volatile uint32_t bits_now = bits;
        const volatile uint16_t half_now = half;
        const auto value = std::bit_cast<float>(uint32_t{bits_now});
        const float back = Fp16::unpack(half_now);
        uint32_t* mine = seen[flush ? 1 : 0];
        std::memcpy(mine, &back, sizeof back);
        mine[1] = Fp16::pack(value);
        mine[2] = Bf16::pack(value);
      }
      if (std::memcmp(seen[0], seen[1], sizeof seen[0]) != 0) FAIL_CHECK(bits);
    }
}

TEST_CASE("denormals: they are flushed unless kept, which is the hash of jobs from before the key") {
  CHECK(flushes_denormals(parse(), {"onednn", "reference"}));
  for (const char* gpu : {"cudnn", "cudnn-mainloop", "check:cudnn"})  // all ranks as the GPU's
    CHECK_FALSE(flushes_denormals(parse(), {"onednn", gpu}));
  CHECK(arithmetic(parse(), {}, {}).find("precision.denormals = \"flush\"") != std::string::npos);
  const Experiment kept = parse({"precision.denormals=keep"});
  CHECK_FALSE(flushes_denormals(kept, {"onednn"}));
  CHECK(arithmetic(kept, {}, {}).find("denormals") == std::string::npos);
  CHECK(hash(kept, {}, {}) != hash(parse(), {}, {}));
  CHECK(arithmetic_differences(arithmetic(kept, {}, {}), arithmetic(parse(), {}, {})) ==
        std::vector<std::string>{"precision.denormals = \"keep\" there",
                                 "precision.denormals = \"flush\" here"});
  CHECK(arithmetic_differences(arithmetic(kept, {}, {}), arithmetic(kept, {}, {})).empty());
}

}  // namespace convoy

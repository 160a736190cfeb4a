// What this process's cores can do at most, measured: additions-and-multiplications of f32 in registers, and memory's
// bandwidth by a triad that fits no cache (McCalpin's STREAM). Each is the best of a few short tries on all threads at once.
#pragma once

namespace convoy::cli {

struct Roofline {
  double flops_per_s = 0;  // f32, multiply and add counted separately
  double bytes_per_s = 0;  // read and written, no allowance for reads before writes
  // Seconds that such work takes at least.
  double seconds(double flops, double bytes) const;
};

Roofline measure_roofline(int threads);

}  // namespace convoy::cli

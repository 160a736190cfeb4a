// Denormal numbers of the host's arithmetic, in f32 those below 1.2e-38: processors compute with them in microcode, many
// times slower, and a network that has learnt its images by heart fills with them. Flushed, they count as zero, as
// operands and as results; everything else keeps its bits.
#pragma once

namespace convoy {

// For the calling thread and those that it starts from now on, which inherit the floating-point environment. Does nothing
// where the processor cannot: x86-64 and AArch64 can.
void flush_denormals(bool flush);

// What the calling thread's arithmetic does, by trying.
bool flushes_denormals();

}  // namespace convoy

// Spans of time on their way into a trace: whoever does something worth a lane tells a SpanSink, if it was given one,
// from when to when. Called from any thread; cheap, and never throws. The sink (src/observe) keeps or drops it.
#pragma once

#include <chrono>
#include <cstdint>

namespace convoy {

struct Span {
  enum class Lane { step, compute, communication, input, decode };
  Lane lane = Lane::step;
  const char* name = "";  // a literal
  int64_t number = -1;    // of a step, bucket, ...; -1: none
  int thread = 0;         // of several in the lane
  std::chrono::steady_clock::time_point begin{}, end{};
};

class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void add(const Span& span) noexcept = 0;
};

}  // namespace convoy

#include "comm/ladder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace convoy {
namespace {

constexpr size_t chunk = 4096;  // elements: two streams of a chunk stay in the first-level cache

}  // namespace

int odd_part(int workers) { return workers >> std::countr_zero(static_cast<unsigned>(workers)); }

size_t ladder_sums(int workers) {
  if (workers < 2) return 0;
  return static_cast<size_t>(std::countr_zero(static_cast<unsigned>(workers))) + (odd_part(workers) > 1);
}

Ladder::Ladder(size_t elements, int workers)
    : elements_(elements), workers_(workers), unit_(1), unit_sum_(0), levels_(0) {
  if (workers < 2) return;
  unit_ = odd_part(workers);
  levels_ = static_cast<size_t>(std::countr_zero(static_cast<unsigned>(workers)));
  unit_sum_ = levels_;
  for (size_t i = 0; i < ladder_sums(workers); ++i) sums_.push_back(host_buffer(elements * sizeof(float)));
}

std::span<float> Ladder::sum(size_t index, size_t offset, size_t count) {
  return std::span(reinterpret_cast<float*>(sums_[index].get()), elements_).subspan(offset, count);
}

RangeErrors Ladder::add(int worker, size_t offset, std::span<float> values, const Wire& wire) {
  ensure(worker >= 0 && worker < workers_ && offset + values.size() <= elements_);
  if (workers_ == 1 && !wire.rounds()) return {};
  const bool unit_begins = worker % unit_ == 0, unit_ends = (worker + 1) % unit_ == 0,
             last = worker + 1 == workers_;
  // Units completed before this one, as a binary counter: its trailing ones are the levels that carry.
  const auto units = static_cast<unsigned>(worker / unit_);
  const auto carries = static_cast<size_t>(std::countr_one(units));
  const auto chunks = static_cast<int64_t>((values.size() + chunk - 1) / chunk);
  int64_t overflows = 0, underflows = 0;

// A team for a few chunks costs more than it saves.
#pragma omp parallel for schedule(static) if (chunks > 16) reduction(+ : overflows, underflows)
  for (int64_t c = 0; c < chunks; ++c) {
    const size_t begin = static_cast<size_t>(c) * chunk, count = std::min(chunk, values.size() - begin);
    const std::span<float> g = values.subspan(begin, count);
    const RangeErrors leaf = round_leaf(wire, g);
    overflows += leaf.overflows, underflows += leaf.underflows;
    if (!unit_begins) overflows += add_left(wire, g, sum(unit_sum_, offset + begin, count));
    if (unit_ends)
      for (size_t level = 0; level < carries; ++level)
        overflows += add_left(wire, g, sum(level, offset + begin, count));
    if (last) continue;
    const std::span<float> to = sum(unit_ends ? carries : unit_sum_, offset + begin, count);
    std::memcpy(to.data(), g.data(), count * sizeof(float));
  }
  return {overflows, underflows};
}

}  // namespace convoy

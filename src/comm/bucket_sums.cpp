#include "comm/bucket_sums.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/spans.h"
#include "comm/backoff.h"
#include "comm/silence.h"

namespace convoy {
namespace {

double seconds_between(std::chrono::steady_clock::time_point begin,
                       std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

BucketSums::Scratch BucketSums::scratch_for(const Layout& layout, const ReducerOptions& options, int ranks) {
  Scratch scratch;
  if (options.road != Road::tree || ranks == 1) return scratch;
  for (int bucket = 0; std::cmp_less(bucket, layout.buckets.size()); ++bucket) {
    const Bucket& whole = layout.buckets[static_cast<size_t>(bucket)];
    const size_t rounded = rounded_elements(options.wire, layout, bucket);
    const size_t exact = static_cast<size_t>(whole.end - whole.begin) - rounded;
    scratch.packed = std::max(scratch.packed, rounded + tree_scratch(rounded, ranks));
    scratch.exact = std::max(scratch.exact, tree_scratch(exact, ranks));
  }
  return scratch;
}

BucketSums::BucketSums(Communicator& communicator, Arena& arena, Mirror& mirror,
                       const ReducerOptions& options, Source& source)
    : communicator_(communicator),
      arena_(arena),
      mirror_(mirror),
      source_(source),
      road_(options.road),
      device_sums_(options.device_sums),
      wire_(options.wire),
      stall_limit_(options.stall_limit),
      spans_(options.spans),
      worked_(options.worked),
      hosts_(communicator.gather(communicator.host())),
      scratch_(host_buffer(0)),
      packed_(host_buffer(0)),
      seconds_(arena.layout().buckets.size(), 0.0),
      overflows_(seconds_.size(), 0) {
  const Scratch needed = scratch_for(arena.layout(), options, communicator.size());
  scratch_elements_ = needed.exact;
  packed_elements_ = needed.packed;
  scratch_ = options.allocate(scratch_elements_ * sizeof(float));
  packed_ = options.allocate(packed_elements_ * sizeof(uint16_t));
}

void BucketSums::run() {
  busy_ = 0;
  if (road_ == Road::tree)
    run_tree();
  else
    run_library();
  mirror_.finish();
}

void BucketSums::run_tree() {
  for (int bucket = 0; std::cmp_less(bucket, seconds_.size()); ++bucket) {
    source_.wait_for(bucket);
    const auto begin = Clock::now();
    try {
      overflows_[static_cast<size_t>(bucket)] = tree_sum_of(bucket);
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", name(bucket), error.what()), error.code());
    }
    completed(bucket, begin);
    busy_ += seconds_[static_cast<size_t>(bucket)];
  }
}

void BucketSums::completed(int bucket, Clock::time_point begin) {
  if (!device_sums_) mirror_.put(bucket);
  const auto end = Clock::now();
  seconds_[static_cast<size_t>(bucket)] = seconds_between(begin, end);
  if (spans_ != nullptr)
    spans_->add(
        {.lane = Span::Lane::communication, .name = "bucket", .number = bucket, .begin = begin, .end = end});
}

// The gradients as 16-bit numbers if the wire says so, then what is exact: everything, or the statistics.
int64_t BucketSums::tree_sum_of(int bucket) {
  const Finish wait = [this](Communicator::Pending& message, const TreeStep& step) { finish(message, step); };
  const std::span<float> values = mirror_.grads(bucket);
  const size_t rounded = rounded_elements(wire_, arena_.layout(), bucket);
  int64_t overflows = 0;
  if (rounded > 0) {
    const std::span<uint16_t> all(reinterpret_cast<uint16_t*>(packed_.get()), packed_elements_);
    const std::span<uint16_t> packed = all.first(rounded);
    pack(wire_, values.first(rounded), packed);
    overflows = tree_sum(communicator_, wire_, packed, all.subspan(rounded), wait);
    unpack(wire_, packed, values.first(rounded));
    if (worked_) worked_(2 * rounded * (sizeof(float) + sizeof(uint16_t)));
  }
  tree_sum(communicator_, values.subspan(rounded),
           std::span(reinterpret_cast<float*>(scratch_.get()), scratch_elements_), wait);
  return overflows;
}

void BucketSums::finish(Communicator::Pending& message, const TreeStep& step) {
  const auto begin = Clock::now();
  for (Backoff backoff; !message.test(); backoff.pause()) {
    communicator_.answer();
    if (stalled_since(begin))
      fail("rank {} on {} has not answered for {:g} s at step {} of {} of the tree: {}", step.peer,
           hosts_[static_cast<size_t>(step.peer)], stall_seconds(), step.step, step.steps,
           name_the_silent(communicator_, hosts_, stall_limit_));
  }
  if (worked_ && 2 * step.step <= step.steps) worked_(3 * step.bytes);
}

void BucketSums::run_library() {
  std::vector<Flight> flights = std::exchange(flights_, {});  // empty, but for its room: no step allocates
  const int buckets = static_cast<int>(seconds_.size());
  flights.reserve(seconds_.size());
  auto last_progress = Clock::now(), take_off = last_progress;
  Backoff backoff;
  for (int next = 0; next < buckets || !flights.empty(); backoff.pause()) {
    if (flights.empty()) {
      source_.wait_for(next);
      last_progress = take_off = Clock::now();
    }
    const size_t before = flights.size();
    try {
      for (; next < buckets && source_.is_ready(next); ++next)
        flights.push_back({next,
                           communicator_.start_sum(device_sums_ ? arena_.grads(next) : mirror_.grads(next)),
                           Clock::now()});
      const size_t started = flights.size();
      std::erase_if(flights, [&](const Flight& flight) {
        if (!flight.sum->test()) return false;
        completed(flight.bucket, flight.begin);
        return true;
      });
      if (flights.size() != started || started != before) last_progress = Clock::now(), backoff = Backoff();
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", name(flights.empty() ? next : flights.front().bucket), error.what()),
                  error.code());
    }
    if (flights.empty()) {
      busy_ += seconds_between(take_off, Clock::now());
      continue;
    }
    communicator_.answer();
    if (stalled_since(last_progress))
      fail("{}: the MPI library's sum over {} ranks has not moved for {:g} s: {}",
           name(flights.front().bucket), communicator_.size(), stall_seconds(),
           name_the_silent(communicator_, hosts_, stall_limit_));
  }
  flights_ = std::move(flights);
}

bool BucketSums::stalled_since(Clock::time_point last_progress) const {
  require(!source_.stopped(), "given up, because this rank has failed elsewhere");
  return stall_limit_.count() > 0 && Clock::now() - last_progress > stall_limit_;
}

double BucketSums::stall_seconds() const { return std::chrono::duration<double>(stall_limit_).count(); }

std::string BucketSums::name(int bucket) const {
  return fmt::format("sum of gradients, bucket {} of {}", bucket + 1, seconds_.size());
}

}  // namespace convoy

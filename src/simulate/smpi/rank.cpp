#include "simulate/smpi/rank.h"

#include <smpi/smpi.h>

#include <algorithm>
#include <cmath>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/spans.h"
#include "comm/reducer.h"
#include "comm/tree.h"
#include "port/events.h"
#include "simulate/smpi/simulated_communicator.h"

namespace convoy::simulate {
namespace {

double now() { return simgrid::s4u::Engine::get_clock(); }
void until(double moment) {
  if (moment > now()) simgrid::s4u::this_actor::sleep_for(moment - now());
}

// Handles point to the moment at which the event happens.
class Clock final : public Events {
 public:
  bool happened(Event event) override { return *static_cast<const double*>(event.handle) <= now(); }
  void await(Event event) override { until(*static_cast<const double*>(event.handle)); }
};

// The reducer tells when a bucket's sum has ended; it began when the bucket was ready and the one before had ended.
class Spans final : public SpanSink {
 public:
  Spans(Together& together, int rank, const std::vector<double>& ready)
      : together_(together), rank_(rank), ready_(ready) {}
  void add(const Span& span) noexcept override {
    const double begin = std::max(last_, ready_[static_cast<size_t>(span.number)]);
    together_.answer.spans.push_back(
        {rank_, "communication", span.name, static_cast<int>(span.number), begin, now()});
    last_ = now();
  }

 private:
  Together& together_;
  int rank_;
  const std::vector<double>& ready_;
  double last_ = 0;
};

Layout layout_of(const Scenario& s) {
  Layout layout;
  for (const ReadyBucket& bucket : s.buckets) {
    layout.segments.push_back({.kind = Segment::Kind::parameter,
                               .index = static_cast<int>(layout.segments.size()),
                               .offset = bucket.begin,
                               .count = bucket.end - bucket.begin,
                               .bucket = static_cast<int>(layout.buckets.size())});
    layout.buckets.push_back({bucket.begin, bucket.end, 0});
    layout.elements = bucket.end;
  }
  return layout;
}

Wire wire_of(const Scenario& s) {
  Wire wire;
  if (s.wire == "fp16") wire.format = Wire::Format::fp16;
  if (s.wire == "bf16") wire.format = Wire::Format::bf16;
  wire.scale = static_cast<float>(s.wire_scale);
  wire.phantom = s.sums_file.empty();
  return wire;
}

// A rank's compute time in this iteration, over the usual.
double slowness(const Scenario& s, int rank, int iteration) {
  const Philox4 words = Random(s.seed, stream_of("straggler", static_cast<uint64_t>(iteration)))
                            .block(static_cast<uint64_t>(rank));
  const double drawn = s.spread > 0 ? std::exp(s.spread * normal(words[0], words[1])) : 1.0;
  return drawn * (rank / s.ranks_per_node == s.slow_node ? s.slow_factor : 1.0);
}

class Iterations {
 public:
  Iterations(Together& together, SimulatedCommunicator& ranks, const Allocate& allocate, const Nodes& nodes)
      : together_(together),
        s_(together.scenario),
        rank_(ranks.rank()),
        arena_(Graph{}, layout_of(s_), 0, allocate),
        ready_(s_.buckets.size()),
        spans_(together, rank_, ready_),
        reducer_(ranks, arena_, ranks.size(), Share{rank_, 1},
                 {.road = s_.algorithm == "tree" ? Road::tree : Road::library,
                  .overlap = false,
                  .stall_limit = std::chrono::milliseconds(0),
                  .wire = s_.algorithm == "tree" ? wire_of(s_) : Wire{},
                  .spans = traced() ? &spans_ : nullptr,
                  .allocate = allocate,
                  .events = &clock_,
                  .worked = nodes.worked}) {}

  void run(int iteration) {
    IterationTimes& times = together_.answer.iterations[static_cast<size_t>(iteration)];
    const double begin = now(), slow = slowness(s_, rank_, iteration);
    for (size_t b = 0; b < ready_.size(); ++b) ready_[b] = begin + slow * s_.buckets[b].ready;
    if (!s_.sums_file.empty()) plant();
    // The plan that computes nothing: train() would call `ready` at these moments.
    const ReadyFn ready = reducer_.leaf(0);
    for (size_t b = 0; b < ready_.size(); ++b) ready(static_cast<BucketId>(b), Event{&ready_[b]});
    reducer_.wait();
    const double computed = begin + slow * s_.compute;
    until(computed);
    const double summed = now();
    until(summed + s_.after);
    times.begin = std::max(times.begin, begin);
    times.end = std::max(times.end, now());
    times.compute_max = std::max(times.compute_max, slow * s_.compute);
    if (!traced()) return;
    together_.answer.spans.push_back({rank_, "step", "step", iteration, begin, now()});
    together_.answer.spans.push_back({rank_, "compute", "forward and backward", iteration, begin, computed});
    together_.answer.spans.push_back({rank_, "compute", "update", iteration, summed, now()});
  }

  void check_sums(Communicator& ranks) {
    Digest digest;
    digest.add(arena_.grads().data(), arena_.grads().size_bytes());
    const auto all = ranks.gather(digest.hex());
    for (size_t r = 0; r < all.size(); ++r)
      require(all[r] == all.front(), "simulated ranks 0 and {} hold different sums: {} and {}", r,
              all.front(), all[r]);
    if (rank_ != 0) return;
    together_.answer.digest = digest.hex();
    const auto bytes = std::as_bytes(arena_.grads());
    replace_file(s_.sums_file, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

 private:
  bool traced() const {
    return rank_ % s_.ranks_per_node == 0 && rank_ / s_.ranks_per_node < s_.traced_ranks;
  }
  void plant() {
    const std::span<float> values = arena_.grads();
    for (size_t i = 0; i < values.size(); ++i) values[i] = planted_gradient(rank_, static_cast<int64_t>(i));
  }

  Together& together_;
  const Scenario& s_;
  int rank_;
  Arena arena_;
  std::vector<double> ready_;
  Clock clock_;
  Spans spans_;
  Reducer reducer_;
};

double time_of_sum(SimulatedCommunicator& ranks, const Scenario& s, std::span<float> values,
                   std::span<float> scratch, const Nodes& nodes) {
  const double begin = now();
  if (s.algorithm != "tree") {
    ranks.start_sum(values)->wait();
    return now() - begin;
  }
  tree_sum(ranks, values, scratch, [&](Communicator::Pending& message, const TreeStep& step) {
    message.wait();
    if (2 * step.step <= step.steps) nodes.worked(3 * step.bytes);
  });
  return now() - begin;
}

}  // namespace

Together::Together(const Scenario& s) : scenario(s), board(s.ranks) {
  answer.iterations.resize(static_cast<size_t>(s.sizes.empty() ? s.iterations : 0));
  answer.size_seconds.resize(s.sizes.size());
  int64_t most = 0;
  for (const ReadyBucket& bucket : s.buckets) most = std::max(most, bucket.end * 4);
  for (const int64_t bytes : s.sizes) most = std::max(most, bytes);
  // Twice: a packed bucket and its scratch lie behind one another.
  if (s.sums_file.empty()) phantom = SMPI_SHARED_MALLOC(static_cast<size_t>(2 * most) + 4096);
}

void simulate_rank(Together& together, int rank) {
  const Scenario& s = together.scenario;
  SimulatedSession session;
  ensure(session.world().rank() == rank && session.world().size() == s.ranks);
  const Allocate allocate = s.sums_file.empty() ? Allocate([&](size_t) {
    return Buffer(static_cast<std::byte*>(together.phantom), [](std::byte*) {});
  })
                                                : Allocate(host_buffer);
  int64_t elements = 0;
  for (const ReadyBucket& bucket : s.buckets) elements = std::max(elements, bucket.end - bucket.begin);
  for (const int64_t bytes : s.sizes) elements = std::max(elements, bytes / 4);
  const Buffer scratch = allocate(static_cast<size_t>(elements) * sizeof(float));
  const Nodes nodes{.ranks_per_node = s.ranks_per_node, .worked = [&s](size_t bytes) {
                      simgrid::s4u::this_actor::sleep_for(static_cast<double>(bytes) / s.sum_bandwidth);
                    }};
  SimulatedCommunicator ranks(
      session.world(), together.board,
      {.algorithm = algorithm_of(s.algorithm),
       .nodes = nodes,
       .message = s.message,
       .packed = s.packed,
       .scratch = {reinterpret_cast<float*>(scratch.get()), static_cast<size_t>(elements)}});
  if (s.sizes.empty()) {
    Iterations iterations(together, ranks, allocate, nodes);
    ranks.barrier();
    for (int i = 0; i < s.iterations; ++i) iterations.run(i);
    ranks.barrier();
    if (!s.sums_file.empty()) iterations.check_sums(ranks);
  }
  for (size_t i = 0; i < s.sizes.size(); ++i) {
    const std::span<float> all(reinterpret_cast<float*>(scratch.get()), static_cast<size_t>(elements));
    const Buffer values = allocate(static_cast<size_t>(s.sizes[i]));
    ranks.barrier();
    const double seconds = time_of_sum(
        ranks, s, {reinterpret_cast<float*>(values.get()), static_cast<size_t>(s.sizes[i]) / 4}, all, nodes);
    together.answer.size_seconds[i] = std::max(together.answer.size_seconds[i], seconds);
  }
  ranks.barrier();
}

}  // namespace convoy::simulate

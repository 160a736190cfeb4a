#include "comm/shares.h"

#include <fmt/ranges.h>

#include <bit>
#include <charconv>

#include "base/error.h"

namespace convoy {
namespace {

std::string name_of(Road road) { return road == Road::tree ? "tree" : "library"; }

// The front number of `text` up to a blank; ours on every rank.
int take_number(std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  ensure(error == std::errc());
  text.erase(0, static_cast<size_t>(end - text.data()) + 1);
  return value;
}

}  // namespace

Share even_share(int workers, int ranks, int rank) {
  const auto begin_of = [&](int r) { return static_cast<int>(int64_t{workers} * r / ranks); };
  return {begin_of(rank), begin_of(rank + 1) - begin_of(rank)};
}

std::vector<int> tree_rank_counts(int workers) {
  std::vector<int> counts;
  for (int ranks = 1; ranks <= workers && workers % ranks == 0; ranks *= 2) counts.push_back(ranks);
  return counts;
}

void require_tree(int workers, int ranks) {
  require(std::has_single_bit(static_cast<unsigned>(ranks)) && workers % ranks == 0, Exit::usage,
          "{} workers on {} ranks cannot be summed by the fixed-order tree, which needs a power of two that "
          "divides the workers: start {} ranks, or choose the library's sum (repeatable, but not the same "
          "bits on other counts)",
          workers, ranks, fmt::join(tree_rank_counts(workers), " or "));
}

std::vector<int> counts_by_speed(int runs, const std::vector<double>& speeds) {
  ensure(!speeds.empty() && runs >= static_cast<int>(speeds.size()));
  std::vector<int> counts(speeds.size(), 1);
  // One at a time to the rank that would be done with it first: no other division ends earlier.
  for (auto left = runs - static_cast<int>(speeds.size()); left > 0; --left) {
    size_t best = 0;
    for (size_t rank = 1; rank < speeds.size(); ++rank)
      if ((counts[rank] + 1) / speeds[rank] < (counts[best] + 1) / speeds[best]) best = rank;
    ++counts[best];
  }
  return counts;
}

void agree(Communicator& communicator, Road road, int workers, Share mine, const std::string& layout) {
  const std::string rest = fmt::format("{} workers, {} road, {}", workers, name_of(road), layout);
  const auto all = communicator.gather(fmt::format("{} {} {}", mine.first, mine.count, rest));
  const std::string first_rest = [&] {
    std::string text = all.front();
    take_number(text), take_number(text);
    return text;
  }();
  int next = 0;
  for (int rank = 0; rank < communicator.size(); ++rank) {
    std::string text = all[static_cast<size_t>(rank)];
    const int first = take_number(text), count = take_number(text);
    require(text == first_rest,
            "rank {} is set up for another sum than rank 0 ({}; {}): give all ranks the same job file", rank,
            text, first_rest);
    require(
        first == next && count >= 0,
        "rank {} holds {} workers from worker {}, where worker {} is next: shares are contiguous, by rank",
        rank, count, first, next);
    require(road == Road::library || count == workers / communicator.size(), Exit::usage,
            "rank {} holds {} of {} workers: the fixed-order tree needs equal shares; choose the library's "
            "sum for others",
            rank, count, workers);
    next += count;
  }
  require(next == workers, "the ranks hold {} workers in all, the experiment has {}", next, workers);
}

}  // namespace convoy

#include "report/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/resample.h"
#include "report/statistics.h"

namespace convoy::report {
namespace {

constexpr size_t enough_samples = 8, enough_blocks = 5;
constexpr double speed_alpha = 0.01, alpha = 0.05;

// A side's share of one row, with what the tests need beside the cell.
struct Column {
  Cell cell{};
  const Quantity* only = nullptr;  // of a side of one run
  const Run* run = nullptr;
  std::vector<double> medians{}, draws{};
};

Column column_of(const Comparison& comparison, const Side& side, const std::string& name, uint64_t stream) {
  Column column;
  for (const size_t index : side.runs)
    if (const Quantity* quantity = comparison.runs[index].quantity(name))
      column.cell.runs.push_back(quantity->value);
  if (column.cell.runs.empty()) return column;
  if (side.runs.size() > 1) {
    column.cell.value = mean(column.cell.runs);
    if (column.cell.runs.size() > 1) column.cell.sd = standard_deviation(column.cell.runs);
    return column;
  }
  column.run = &comparison.runs[side.runs.front()];
  column.only = column.run->quantity(name);
  const std::vector<double>& samples = column.only->samples;
  column.cell.value = column.only->value;
  column.cell.counts = column.only->counts;
  column.cell.samples = samples.size();
  if (samples.size() < enough_samples) return column;
  column.cell.block = block_length(samples);
  column.medians = block_medians(samples, column.cell.block);
  column.draws = bootstrap_medians(samples, column.cell.block, stream);
  column.cell.interval = middle(column.draws);
  return column;
}

struct Judge {
  const Row& row;
  const Column &a, &b;
  const Pairing& pairing;
  const RowOptions& options;

  double margin() const { return row.share ? options.accuracy_margin : options.speed_margin; }
  bool for_the_better(double amount) const { return (amount > 0) == (row.better == Better::more); }

  void settle(Change& change, bool significant, const std::string& doubt) const {
    const double amount = *change.amount;
    if (!row.decides) return;
    if (std::abs(amount) <= margin()) {
      change.verdict = Verdict::same;
      change.words =
          significant && std::abs(amount) > (row.share ? 0.005 : 0.03) ? "within the margin" : "same";
    } else if (significant) {
      change.verdict = for_the_better(amount) ? Verdict::better : Verdict::worse;
      change.words = row.share                ? (amount > 0 ? "better" : "worse")
                     : for_the_better(amount) ? "faster"
                                              : "slower";
      if (!change.test) change.words += " (not tested" + doubt + ")";
    } else {
      change.verdict = Verdict::undecided;
      change.words = "undecided" + doubt;
    }
  }

  void over_runs(Change& change) const {
    const auto &x = a.cell.runs, &y = b.cell.runs;
    if (x.size() < 2 || y.size() < 2) return settle(change, true, ": one run on a side");
    change.test = options.rank_test ? mann_whitney(x, y) : welch(x, y);
    settle(change, change.test->p < alpha, ": it may be chance");
  }

  void over_images(Change& change) const {
    const Counts &x = *a.cell.counts, &y = *b.cell.counts;
    if (x.images != y.images) return settle(change, false, ": other numbers of images");
    const auto &p = a.run->predictions, &q = b.run->predictions;
    if (row.name == "held_out_top1" && !p.empty() && p.size() == q.size() &&
        a.run->held_out == b.run->held_out) {
      int64_t only_a = 0, only_b = 0;
      for (size_t i = 0; i < p.size(); ++i) {
        only_a += p[i].rank == 0 && q[i].rank != 0;
        only_b += p[i].rank != 0 && q[i].rank == 0;
      }
      change.test = mcnemar(only_a, only_b);
    } else {
      change.test = two_proportions(x, y);
    }
    settle(change, change.test->p < alpha, ": it may be chance");
  }

  void over_samples(Change& change) const {
    if (a.medians.empty() || b.medians.empty())
      return settle(change, true,
                    a.cell.samples + b.cell.samples == 0
                        ? ": no raw samples"
                        : fmt::format(": {} and {} samples", a.cell.samples, b.cell.samples));
    std::vector<double> ratios(a.draws.size());
    for (size_t i = 0; i < ratios.size(); ++i) ratios[i] = b.draws[i] / a.draws[i] - 1;
    change.interval = middle(std::move(ratios));
    change.test = mann_whitney(a.medians, b.medians);
    const size_t blocks = std::min(a.medians.size(), b.medians.size());
    const bool few = blocks < enough_blocks;
    const bool significant =
        !few && change.test->p < speed_alpha && (change.interval->low > 0 || change.interval->high < 0);
    settle(change, significant,
           few ? fmt::format(": {} independent block{} of steps, run longer", blocks, blocks == 1 ? "" : "s")
               : ": it may be chance");
  }

  Change change() const {
    Change change;
    if (!a.cell.value || !b.cell.value) return change;
    if (row.share)
      change.amount = *b.cell.value - *a.cell.value;
    else if (*a.cell.value != 0)
      change.amount = *b.cell.value / *a.cell.value - 1;
    else
      return change;
    if (a.only == nullptr || b.only == nullptr)
      over_runs(change);
    else if (row.share && pairing.numerics.same_weights)
      settle(change, false, "");
    else if (a.cell.counts && b.cell.counts)
      over_images(change);
    else if (row.share)
      settle(change, true, ": no counts");
    else if (row.decides)
      over_samples(change);
    return change;
  }
};

}  // namespace

void add_rows(Comparison& comparison, const RowOptions& options) {
  std::vector<const Quantity*> known;
  for (const Run& run : comparison.runs)
    for (const Quantity& quantity : run.quantities)
      if (std::ranges::none_of(known, [&](const Quantity* other) { return other->name == quantity.name; }))
        known.push_back(&quantity);
  for (const Quantity* quantity : known) {
    Row row{.name = quantity->name,
            .title = quantity->title,
            .better = quantity->better,
            .share = quantity->share,
            .decides = quantity->decides};
    std::vector<Column> columns;
    for (size_t side = 0; side < comparison.sides.size(); ++side)
      columns.push_back(column_of(comparison, comparison.sides[side], row.name,
                                  comparison.rows.size() * comparison.sides.size() + side));
    for (size_t side = 0; side < columns.size(); ++side) {
      row.changes.push_back(
          side == 0 ? Change{}
                    : Judge{row, columns[0], columns[side], comparison.pairings[side], options}.change());
      row.cells.push_back(columns[side].cell);
    }
    comparison.rows.push_back(std::move(row));
  }
}

}  // namespace convoy::report

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "report/statistics.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

// Rates as Google Benchmark's counters name them.
void add_rates(Json& entry, const Benchmark& b, double seconds) {
  if (b.images > 0) entry["items_per_second"] = b.images / seconds;
  if (b.flops > 0) entry["flops_per_second"] = b.flops / seconds;
  if (b.bytes > 0) entry["bytes_per_second"] = b.bytes / seconds;
  if (!b.label.empty()) entry["label"] = b.label;
}

Json entry_of(const Benchmark& b, size_t family, double seconds, double cpu_seconds) {
  return {{"name", b.name},
          {"family_index", family},
          {"per_family_instance_index", 0},
          {"run_name", b.name},
          {"run_type", "iteration"},
          {"repetitions", b.seconds.size()},
          {"threads", 1},
          {"iterations", 1},
          {"real_time", seconds * 1e3},
          {"cpu_time", cpu_seconds * 1e3},
          {"time_unit", "ms"}};
}

std::string rate_of(const BenchSheet& sheet, const Benchmark& b, double seconds) {
  std::string text;
  if (b.images > 0) text += fmt::format("{:9.1f} images/s", b.images / seconds);
  if (b.flops > 0) text += fmt::format("{:8.1f} Gflop/s", b.flops / seconds * 1e-9);
  if (b.bytes > 0) text += fmt::format("{:7.1f} GB/s", b.bytes / seconds * 1e-9);
  const bool of_memory =
      b.name.starts_with("layer/") || b.name.starts_with("kind/") || b.name == "step/update";
  if (sheet.roofline.flops_per_s > 0 && of_memory)
    text += fmt::format("{:6.0f} %", 100 * sheet.roofline.seconds(b.flops, b.bytes) / seconds);
  return text;
}

}  // namespace

Json google_benchmark_json(const BenchSheet& sheet) {
  Json json{{"context", sheet.context}, {"benchmarks", Json::array()}};
  if (sheet.roofline.flops_per_s > 0)
    json["context"]["roofline"] = {{"flops_per_second", sheet.roofline.flops_per_s},
                                   {"bytes_per_second", sheet.roofline.bytes_per_s}};
  for (size_t family = 0; family < sheet.benchmarks.size(); ++family) {
    const Benchmark& b = sheet.benchmarks[family];
    for (size_t i = 0; i < b.seconds.size(); ++i) {
      Json entry = entry_of(b, family, b.seconds[i], b.cpu_seconds[i]);
      entry["repetition_index"] = i;
      add_rates(entry, b, b.seconds[i]);
      json["benchmarks"].push_back(std::move(entry));
    }
    const double median = report::median(b.seconds);
    const report::Interval interval = report::median_interval(b.seconds);
    Json entry = entry_of(b, family, median, report::median(b.cpu_seconds));
    entry["name"] = b.name + "_median";
    entry["run_type"] = "aggregate";
    entry["aggregate_name"] = "median";
    entry["aggregate_unit"] = "time";
    entry["iterations"] = b.seconds.size();
    entry["median_low"] = interval.low * 1e3;
    entry["median_high"] = interval.high * 1e3;
    add_rates(entry, b, median);
    json["benchmarks"].push_back(std::move(entry));
  }
  return json;
}

void print_sheet(const BenchSheet& sheet) {
  size_t width = 20;
  for (const Benchmark& b : sheet.benchmarks) width = std::max(width, b.name.size());
  if (sheet.roofline.flops_per_s > 0)
    fmt::print("roofline, measured: {:.1f} Gflop/s, {:.1f} GB/s; %: of the time that it allows\n",
               sheet.roofline.flops_per_s * 1e-9, sheet.roofline.bytes_per_s * 1e-9);
  for (const Benchmark& b : sheet.benchmarks) {
    const double median = report::median(b.seconds);
    const report::Interval interval = report::median_interval(b.seconds);
    fmt::print("{:<{}} {:10.3f} ms  {:>10.3f} to {:<10.3f} {}{}{}\n", b.name, width, median * 1e3,
               interval.low * 1e3, interval.high * 1e3, rate_of(sheet, b, median),
               b.label.empty() ? "" : "  ", b.label);
  }
}

}  // namespace convoy::cli

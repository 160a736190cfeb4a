#include "report/run.h"

#include <algorithm>
#include <cmath>

#include "report/statistics.h"

namespace convoy::report {

const std::string* Run::fact(const std::string& key) const {
  for (const Facts* facts : {&recipe, &task, &launch, &other})
    if (const std::string* value = find(*facts, key)) return value;
  return nullptr;
}

const std::string* find(const Facts& facts, const std::string& key) {
  const auto found = std::ranges::find(facts, key, [](const auto& fact) { return fact.first; });
  return found == facts.end() ? nullptr : &found->second;
}

void set(Facts& facts, const std::string& key, const std::string& value) {
  if (!value.empty() && find(facts, key) == nullptr) facts.emplace_back(key, value);
}

const Quantity* Run::quantity(const std::string& wanted) const {
  const auto found = std::ranges::find(quantities, wanted, &Quantity::name);
  return found == quantities.end() ? nullptr : &*found;
}

const Curve* Run::curve(const std::string& wanted) const {
  const auto found = std::ranges::find(curves, wanted, &Curve::name);
  return found == curves.end() || found->points.empty() ? nullptr : &*found;
}

void Run::add_speed(std::vector<double> samples, std::optional<double> otherwise) {
  std::erase_if(samples, [](double value) { return !(value > 0) || !std::isfinite(value); });
  if (samples.empty() && !otherwise) return;
  const double value = samples.empty() ? *otherwise : median(samples);
  quantities.push_back({.name = "images_per_s",
                        .title = "images/s, median step",
                        .better = Better::more,
                        .decides = true,
                        .value = value,
                        .samples = std::move(samples)});
}

void Run::add_share(const std::string& called, const std::string& title, std::optional<double> share,
                    std::optional<int64_t> images, bool decides) {
  if (!share || *share < 0 || *share > 1) return;
  Quantity quantity{.name = called,
                    .title = title,
                    .better = Better::more,
                    .share = true,
                    .decides = decides,
                    .value = *share};
  if (images && *images > 0)
    quantity.counts = Counts{std::llround(*share * static_cast<double>(*images)), *images};
  quantities.push_back(std::move(quantity));
}

void Run::add_number(const std::string& called, const std::string& title, std::optional<double> number,
                     Better better) {
  if (number) quantities.push_back({.name = called, .title = title, .better = better, .value = *number});
}

}  // namespace convoy::report

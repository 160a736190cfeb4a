#include "backends/cudnn/engine_choice.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

constexpr double noise = 0.03;  // of the best time: what may be the clock's

}  // namespace

int engines_to_time() {
  const char* given = std::getenv("CONVOY_TIME_ENGINES");
  const std::string_view text = given == nullptr ? "" : given;
  if (text.empty()) return 1;
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  require(error == std::errc() && end == text.data() + text.size() && count >= 1 && count <= 16, Exit::usage,
          "CONVOY_TIME_ENGINES={} is no number of engines to time: give 2 ... 16, or 1 for none", text);
  return count;
}

bool Choice::offer(std::unique_ptr<LibraryPlan> candidate) {
  try {
    const double time = timer_ ? timer_(*candidate) : 0;
    if (best_ == nullptr || time < (1 - noise) * best_time_) {
      best_ = std::move(candidate);
      best_time_ = time;
    }
  } catch (const Error& error) {  // it does not run, another one may
    reason_ = error.what();
  }
  return --left_ <= 0 && best_ != nullptr;
}

std::string ChosenEngines::digest() const {
  if (engines_.empty()) return "";
  Digest digest;
  for (const auto& [operation, engine] : engines_) digest.add(operation + ": " + engine + "\n");
  return digest.hex().substr(0, 12);
}

std::unique_ptr<LibraryPlan> choose_plan(const std::string& operation, int tried, const PlanMaker& maker,
                                         PlanCache& cache, ChosenEngines& chosen) {
  const bool times = tried > 1;
  const std::string key = times ? fmt::format("{}, fastest of {}", operation, tried) : operation;
  const auto restored = [&](const std::string& text) {
    if (text.empty()) return std::unique_ptr<LibraryPlan>();
    auto plan = maker.restore(text);
    if (plan == nullptr) cache.forget(key);
    return plan;
  };
  std::string text = cache.find(key);
  std::unique_ptr<LibraryPlan> plan = restored(text);
  if (plan == nullptr) {
    text.clear();
    plan = maker.build(times ? maker.timer : Timer(), tried);
    const std::string made = plan->serialize();
    if (made.empty() && times)
      plan = maker.build(Timer(), 1);  // what cannot be kept could be another choice every time
    if (!made.empty() && (text = cache.keep(key, made)) != made) {
      if (auto earlier = restored(text))
        plan = std::move(earlier);
      else
        text = cache.keep(key, made);
    }
  }
  if (times) chosen.add(key, text.empty() ? plan->engine() : text);
  return plan;
}

}  // namespace convoy::cudnn

#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"

namespace convoy {

Progress::Progress(Style style, Log log, double every_seconds, std::FILE* out)
    : style_(style), log_(std::move(log)), every_(every_seconds), out_(out) {}

Progress::Style Progress::detect(std::FILE* out) {
  return ::isatty(::fileno(out)) == 1 ? Style::terminal : Style::lines;
}

void Progress::start(int64_t first_step, int64_t steps, int64_t images_per_step, int64_t training_samples) {
  first_ = first_step;
  steps_ = steps;
  images_ = images_per_step;
  samples_ = training_samples;
  last_ = std::chrono::steady_clock::now();
}

std::string Progress::line(const StepRecord& record) const {
  const auto per_epoch = static_cast<double>(samples_) / static_cast<double>(images_);
  const double rate = smoothed_ > 0 ? static_cast<double>(images_) / smoothed_ : 0.0;
  return fmt::format("epoch {:.2f}/{:.4g}  step {}/{}  loss {:.4f}  rate {:.4g}  {:.0f} images/s  left {}",
                     static_cast<double>(record.step + 1) / per_epoch,
                     static_cast<double>(steps_) / per_epoch, record.step + 1, steps_,
                     record.totals.mean_loss(), record.rate, rate,
                     human_seconds(smoothed_ * static_cast<double>(steps_ - record.step - 1)));
}

void Progress::step(const StepRecord& record) {
  // The first step pays for set-up; later ones are averaged over about the last 20.
  smoothed_ =
      record.step <= first_ + 1 ? record.times.total : smoothed_ + 0.05 * (record.times.total - smoothed_);
  if (style_ == Style::none) return;
  const auto now = std::chrono::steady_clock::now();
  const double wanted = style_ == Style::terminal ? 0.2 : every_;
  const bool last = record.step + 1 == steps_;
  if (!last && record.step != first_ && std::chrono::duration<double>(now - last_).count() < wanted) return;
  last_ = now;
  if (style_ == Style::lines) return log_.info("{}", line(record));
  fmt::print(out_, "\r{}\x1b[K", line(record));
  std::fflush(out_);
  shown_ = true;
}

void Progress::clear() {
  if (!std::exchange(shown_, false)) return;
  fmt::print(out_, "\r\x1b[K");
  std::fflush(out_);
}

}  // namespace convoy

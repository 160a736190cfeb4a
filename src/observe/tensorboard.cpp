#include "observe/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "observe/event_file.h"

namespace convoy {
namespace {

constexpr double every_seconds = 5;

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double share(int64_t part, int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

TensorBoard::TensorBoard(std::filesystem::path folder, std::string host, int64_t images_per_step)
    : folder_(std::move(folder)), host_(std::move(host)), images_(images_per_step) {}

Carried TensorBoard::start(int64_t step, const FinalRecord&) {
  const double now = wall_time();
  const std::string name =
      fmt::format("events.out.tfevents.{}.{}.{}.0", static_cast<int64_t>(now), host_, ::getpid());
  file_ = std::make_unique<Appender>(folder_ / name, File::Mode::create, every_seconds);
  file_->append(version_record(now));
  file_->append(start_record(now, step * images_ + 1));
  file_->flush();
  return {};
}

void TensorBoard::step(const StepRecord& record) {
  if (!file_) return;
  const Totals& totals = record.totals;
  Scalars scalars{{"train/loss", totals.mean_loss()}, {"train/rate", record.rate}};
  if (totals.images > 0) scalars.emplace_back("train/top1", share(totals.correct1, totals.images));
  if (record.times.total > 0)
    scalars.emplace_back("train/images_per_s", static_cast<double>(images_) / record.times.total);
  file_->append(scalars_record(wall_time(), (record.step + 1) * images_, scalars));
}

void TensorBoard::evaluation(const EvaluationRecord& record) {
  if (!file_) return;
  const Totals& totals = record.held_out;
  if (totals.images > 0)
    file_->append(scalars_record(wall_time(), (record.step + 1) * images_,
                                 {{"held_out/loss", totals.mean_loss()},
                                  {"held_out/top1", share(totals.correct1, totals.images)},
                                  {"held_out/top5", share(totals.correct5, totals.images)}}));
  file_->flush();
}

void TensorBoard::finish(const FinalRecord&) {
  if (file_) file_->flush();
}

void TensorBoard::fail(int, const std::string&) {
  if (file_) file_->flush();
}

}  // namespace convoy

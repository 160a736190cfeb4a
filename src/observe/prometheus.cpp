#include "observe/prometheus.h"

#include <fmt/format.h>

#include <cmath>

#include "base/file.h"

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double every_seconds = 5;

std::string quoted(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return '"' + text + '"';
}

class Text {
 public:
  explicit Text(std::string labels) : labels_(std::move(labels)) {}
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void value(double number, const std::string& more = "") {
    const std::string shown = std::isnan(number)   ? "NaN"
                              : std::isinf(number) ? (number > 0 ? "+Inf" : "-Inf")
                                                   : fmt::format("{}", number);
    text_ += fmt::format("{}{{{}{}{}}} {}\n", name_, labels_, more.empty() ? "" : ",", more, shown);
  }
  void gauge(const char* name, const char* help, double number) {
    family(name, "gauge", help);
    value(number);
  }
  const std::string& text() const { return text_; }

 private:
  std::string labels_, text_, name_;
};

double share(int64_t part, int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

Prometheus::Prometheus(std::filesystem::path file, PrometheusFacts facts)
    : path_(std::move(file)), facts_(std::move(facts)) {}

std::string Prometheus::text() const {
  Text out(fmt::format("run={},experiment={}", quoted(facts_.run), quoted(facts_.experiment)));
  out.family("convoy_run_state", "gauge", "1 for the state that the run is in.");
  out.value(1, fmt::format("state={}", quoted(status_)));
  out.gauge("convoy_update_timestamp_seconds", "When this file was written, Unix time.",
            std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  out.gauge("convoy_ranks", "MPI ranks.", ranks_);
  out.gauge("convoy_steps_planned", "Steps of the experiment.", static_cast<double>(facts_.steps));
  out.family("convoy_steps_total", "counter", "Steps done.");
  out.value(static_cast<double>(done_));
  const double images = static_cast<double>(done_ * facts_.images_per_step);
  out.family("convoy_images_seen_total", "counter", "Training images seen.");
  out.value(images);
  out.gauge("convoy_epochs", "Epochs passed.", images / static_cast<double>(facts_.samples));
  if (step_) {
    const StepTimes& times = step_->times;
    out.gauge("convoy_train_loss", "Mean loss of the last step, nats.", step_->totals.mean_loss());
    if (step_->totals.images > 0)
      out.gauge("convoy_train_top1_ratio", "Accuracy of the last step's images.",
                share(step_->totals.correct1, step_->totals.images));
    out.gauge("convoy_learning_rate", "Learning rate of the last step.", step_->rate);
    if (times.total > 0)
      out.gauge("convoy_images_per_second", "Throughput of the last step.",
                static_cast<double>(facts_.images_per_step) / times.total);
    out.family("convoy_step_seconds", "gauge", "The last step on rank 0, by what it was spent on.");
    out.value(times.data_wait, "part=\"data_wait\"");
    out.value(times.compute, "part=\"compute\"");
    out.value(times.communication, "part=\"communication_exposed\"");
    out.value(times.optimizer, "part=\"optimizer\"");
    out.value(times.other, "part=\"other\"");
  }
  if (evaluation_ && evaluation_->held_out.images > 0) {
    const Totals& totals = evaluation_->held_out;
    out.gauge("convoy_held_out_loss", "Mean loss of the last evaluation, nats.", totals.mean_loss());
    out.gauge("convoy_held_out_top1_ratio", "Top-1 accuracy of the last evaluation.",
              share(totals.correct1, totals.images));
    out.gauge("convoy_held_out_top5_ratio", "Top-5 accuracy of the last evaluation.",
              share(totals.correct5, totals.images));
  }
  if (cpu_joules_ || gpu_joules_) {
    out.family("convoy_energy_joules", "gauge", "Energy of the job's hosts in this launch.");
    if (cpu_joules_) out.value(*cpu_joules_, "source=\"cpu\"");
    if (gpu_joules_) out.value(*gpu_joules_, "source=\"gpu\"");
  }
  return out.text();
}

void Prometheus::write() {
  last_ = Clock::now();
  const std::string content = text();
  std::filesystem::path temporary = path_;
  temporary += ".tmp";
  File(temporary, File::Mode::create).write_at(0, content.data(), content.size());
  std::filesystem::rename(temporary, path_);
}

Carried Prometheus::start(int64_t step, const FinalRecord& known) {
  done_ = step;
  ranks_ = static_cast<int>(known.ranks.size());
  write();
  return {};
}

void Prometheus::step(const StepRecord& record) {
  step_ = record;
  done_ = record.step + 1;
  if (std::chrono::duration<double>(Clock::now() - last_).count() >= every_seconds) write();
}

void Prometheus::evaluation(const EvaluationRecord& record) {
  evaluation_ = record;
  write();
}

void Prometheus::finish(const FinalRecord& record) {
  status_ = record.status;
  cpu_joules_ = record.energy.cpu_joules;
  gpu_joules_ = record.energy.gpu_joules;
  write();
}

void Prometheus::fail(int, const std::string&) {
  status_ = "failed";
  write();
}

}  // namespace convoy

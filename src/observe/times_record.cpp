#include "observe/times_record.h"

#include <string>
#include <vector>

namespace convoy {

TimesRecord::TimesRecord(std::filesystem::path file, Communicator& comm, Log log)
    : path_(std::move(file)), comm_(comm), log_(log), guard_(log) {}

Carried TimesRecord::start(int64_t step, const FinalRecord&) {
  if (comm_.rank() == 0) guard_([&] { file_ = std::make_unique<Metrics>(path_, step); });
  return {};
}

void TimesRecord::step(const StepRecord& record) {
  if (record.warmup) return;
  since_.add(record.times);
  all_.add(record.times);
}

void TimesRecord::evaluation(const EvaluationRecord& record) {
  tell("evaluation", record.step, since_);
  since_.clear();
}

void TimesRecord::finish(const FinalRecord& record) { tell("end", record.steps - 1, all_); }

void TimesRecord::tell(const char* event, int64_t step, const Thinned<StepTimes>& steps) {
  RankTimes mine = sum_up(comm_.rank(), comm_.host(), steps.values());
  mine.steps = steps.count();
  const std::vector<std::string> texts = comm_.gather(to_json(mine).dump());
  if (comm_.rank() != 0 || steps.count() == 0) return;
  guard_([&] {
    std::vector<RankTimes> ranks;
    for (const std::string& text : texts) ranks.push_back(rank_times(Json::parse(text)));
    const Attribution attribution = attribute(ranks);
    log_.info("{}: {}", std::string_view(event) == "end" ? "all steps" : "a step's time", text(attribution));
    if (!attribution.advice.empty()) log_.info("{}", attribution.advice);
    Json line{{"event", event}, {"step", step}};
    line.update(to_json(attribution, ranks));
    if (file_) file_->append(line);
  });
}

}  // namespace convoy

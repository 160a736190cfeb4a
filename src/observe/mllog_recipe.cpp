#include "observe/mllog.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

std::string opt_name(const OptimizerOptions& options) {
  return options.kind == "rmsprop-warmup" ? "rmsprop_warmup" : options.kind;
}

}  // namespace

std::vector<std::pair<std::string, Json>> mllog_recipe(const Experiment& experiment,
                                                       int64_t training_samples) {
  const Schedule schedule(experiment, training_samples);
  const OptimizerOptions& optimizer = experiment.optimizer;
  const ScheduleOptions& rates = experiment.schedule;
  const std::string name = opt_name(optimizer);
  const std::string prefix = name + "_opt_";
  const double warmup_epochs =
      schedule.warmup_steps() > 0 ? schedule.epochs_after(schedule.warmup_steps() - 1) : 0.0;
  std::vector<std::pair<std::string, Json>> keys{{"opt_name", name},
                                                 {prefix + "base_learning_rate", schedule.peak()},
                                                 {prefix + "momentum", optimizer.momentum},
                                                 {prefix + "weight_decay", optimizer.weight_decay},
                                                 {prefix + "learning_rate_schedule", rates.kind}};
  const bool poly = rates.kind == "poly";
  if (poly || rates.kind == "cosine") {
    const int64_t after = rates.decay == "shifted" ? schedule.warmup_steps() : 0;
    keys.emplace_back(prefix + "end_learning_rate", rates.end_rate);
    keys.emplace_back(prefix + "learning_rate_decay_steps", schedule.steps() - after);
  }
  if (poly) keys.emplace_back(prefix + "learning_rate_decay_poly_power", rates.power);
  if (rates.kind == "step") {
    keys.emplace_back("opt_learning_rate_decay_boundary_epochs", rates.milestones);
    if (rates.factors.empty())
      keys.emplace_back("opt_learning_rate_decay_factor", rates.factor);
    else
      keys.emplace_back("opt_learning_rate_decay_factor", rates.factors);
  }
  if (name == "lars") {
    keys.emplace_back("lars_epsilon", optimizer.epsilon);
    keys.emplace_back("lars_opt_variant", optimizer.variant);
    keys.emplace_back("lars_opt_trust_coefficient", optimizer.trust);
    keys.emplace_back("lars_opt_learning_rate_warmup_epochs", warmup_epochs);
  } else {
    keys.emplace_back("opt_learning_rate_warmup_epochs", warmup_epochs);
  }
  return keys;
}

}  // namespace convoy

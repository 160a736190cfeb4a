#include "cli/job_keys.h"

#include <variant>

#include "train/experiment_fields.h"

namespace convoy::cli {

std::vector<JobKey> job_keys() {
  Experiment experiment;
  std::vector<JobKey> keys;
  visit_fields(experiment, [&keys](const Field& field) {
    JobKey key{field.name(), field.choices, toml_value(field.slot), ""};
    if (std::holds_alternative<bool*>(field.slot)) key.choices = {"true", "false"};
    const bool bounded = field.range.low > -std::numeric_limits<double>::infinity() ||
                         field.range.high < std::numeric_limits<double>::infinity();
    if (bounded) key.range = field.range.text();
    keys.push_back(key);
  });
  return keys;
}

}  // namespace convoy::cli

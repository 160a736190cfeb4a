// Every key of a job file, as --set takes it, with what it may be: for completion and the man page. From the one list that
// parses and hashes them (train/experiment_fields.h).
#pragma once

#include <string>
#include <vector>

namespace convoy::cli {

struct JobKey {
  std::string name;                  // "optimizer.kind"
  std::vector<std::string> choices;  // empty: not a few words
  std::string standard;  // its default, as TOML; of an SGD job with a ResNet-50, where others differ
  std::string range;     // "above 0"; "" if any
};

std::vector<JobKey> job_keys();

}  // namespace convoy::cli

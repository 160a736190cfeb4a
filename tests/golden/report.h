// Collects the relative errors of many tensors under a few headings, remembers the worst of each with its name, and
// prints one line, so that a run of test_golden states the figures that its bounds are about.
#pragma once

#include <cstdio>
#include <map>
#include <string>

#include "golden.h"

namespace convoy::golden {

class Report {
 public:
  explicit Report(std::string title) : title_(std::move(title)) {}
  ~Report() {
    std::printf("%s:", title_.c_str());
    for (const auto& [heading, worst] : worst_)
      std::printf(" %s %.1e (%s);", heading.c_str(), worst.error, worst.name.c_str());
    std::printf("\n");
    std::fflush(stdout);
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  double add(const std::string& heading, const std::string& name, double error) {
    Worst& worst = worst_[heading];
    if (worst.name.empty() || error > worst.error) worst = {error, name};
    return error;
  }

 private:
  struct Worst {
    double error = 0;
    std::string name;
  };
  std::string title_;
  std::map<std::string, Worst> worst_;
};

}  // namespace convoy::golden

// Two result files side by side. Comparable are runs of an identical experiment (equal hash) and of the same
// task (same training and held-out images, same network); anything else is refused with the keys that differ.
// Digests decide whether the numbers are the same: "bitwise equal through step N", or the first evaluation at
// which they differ, with what differs between the launches' fingerprints.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/metrics.h"

namespace convoy {

enum class Comparability { identical, same_task, incomparable };

struct CompareOptions {
  bool force = false;              // compare what is incomparable all the same
  double speed_margin = 0.03;      // relative difference of throughput that counts
  double accuracy_margin = 0.005;  // absolute difference of held-out top-1 that counts between unequal bits
};

struct Comparison {
  Comparability comparability = Comparability::incomparable;
  std::vector<std::string> differing;  // "optimizer.momentum: 0.9 | 0.8"
  std::string numerics;                // one sentence
  std::string text;                    // the table, for printing
  int exit_code = 0;                   // 0 no regression of B against A, 1 regression, 2 not comparable
};

Json read_result(const std::filesystem::path& path);  // a result.json, or the folder that holds one
Comparison compare(const Json& a, const Json& b, const CompareOptions& options = {});

}  // namespace convoy

// What equal bits need beside an equal Experiment: the same backend, library, instruction set and threads on every
// rank, and the same road of the sum. A text of one "key = value" a line; ranks that differ are "a + b" in it. Every
// checkpoint carries it with the claim of the run so far, so that a resume under another fingerprint is noticed, and
// the claim that then no longer holds is not made again by a later one.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "comm/reducer.h"
#include "train/checkpoint.h"
#include "train/rank_report.h"

namespace convoy {

// `together`: workers whose batch norm is taken together, which share out as one.
std::string fingerprint_of(const std::vector<RankReport>& ranks, Road road, int together = 1);
// "" if it does not say.
std::string fingerprint_value(const std::string& fingerprint, const std::string& key);
// "threads: 1 | 2", one a key that differs.
std::vector<std::string> fingerprint_differences(const std::string& a, const std::string& b);

// The claim of a run that goes on from `found` as `now`: that of `now` if `found` has the same fingerprint and claim,
// "repeatable" if not; warns when the fingerprint is another one.
std::string claim_after(const Snapshot& found, const Snapshot& now, const Log& log);

}  // namespace convoy

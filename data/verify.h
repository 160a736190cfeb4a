// `convoy verify`: has any byte of a packed dataset changed? Every shard's file is compared with its digest in
// dataset.json (which carries its own); where one differs, the records' own hashes say which image it is. Also the
// pieces that pack and resume use. Reads only; never throws for damage, only for a folder that is no dataset.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "data/shard.h"

namespace convoy {

struct VerifyReport {
  int64_t records = 0;                // that dataset.json promises
  int64_t bad = 0;                    // of them, damaged or missing
  std::vector<std::string> problems;  // sentences: shard, record, image and offset; long lists are cut
  bool good() const { return problems.empty(); }
};

VerifyReport verify(const std::filesystem::path& dataset, int threads, const Log& log);

// Reads every record of a shard whose index is good and compares its hash.
struct RecordCheck {
  int64_t bad = 0;
  std::vector<std::string> problems;
};
RecordCheck check_records(const Shard& shard, int threads);

std::string file_digest(const std::filesystem::path& path);  // XXH3-128

}  // namespace convoy

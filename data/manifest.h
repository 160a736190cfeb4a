// dataset.json: what a packed dataset is, written last and atomically; a folder without it is no dataset. Its "digest"
// is XXH3-128 over the file's own text with the digest's 32 digits read as zeros, so that any changed byte is found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/source_labels.h"

namespace convoy {

inline constexpr const char* manifest_name = "dataset.json";
inline constexpr const char* quarantine_name = "quarantine.tsv";

struct ShardEntry {
  std::string file;
  uint64_t bytes = 0;
  int64_t samples = 0;
  std::string digest;  // XXH3-128 of the whole file
};

struct Manifest {
  int64_t samples = 0;
  uint64_t image_bytes = 0, seed = 0;
  int64_t warnings = 0, quarantined = 0, skipped = 0, duplicates = 0;
  std::string jpegs;        // how JPEGs are written anew, name_of(Jpegs); empty: they are not
  int64_t rewritten = -1;   // how many of them; below 0: none was to be
  std::string source;       // what was packed
  std::string plan;         // digest of all that decides the shards' bytes but the images' own
  std::string fingerprint;  // XXH3-128 over the classes and every record in order: the dataset's identity
  std::string quarantine_digest;  // XXH3-128 of quarantine.tsv; empty if there is none
  ClassTable classes;
  std::vector<int64_t> histogram;  // samples of each class
  std::vector<ShardEntry> shards;
};

std::string manifest_text(const Manifest& manifest);
Manifest parse_manifest(const std::string& text, const std::filesystem::path& path);  // checks the digest
Manifest read_manifest(const std::filesystem::path& folder);

}  // namespace convoy

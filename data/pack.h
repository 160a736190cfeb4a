// `convoy pack`: images as people have them become a packed dataset, a folder of HDF5 shards and dataset.json
// (FORMAT.md). Every image is decoded once, so that training never meets a bad one; images are shuffled over all shards
// by the seed; ranks and threads share the work and never change a byte of the result. Shards appear under their names
// only when whole. Run again after a kill or after bad images, it keeps the shards that are byte for byte what the source
// gives now, for which it reads all of the source, and makes the rest. One pack at a time has the folder.
// Collective over `comm`: every rank returns the same report. What fails on one rank throws there alone, and the caller
// ends the job for the others; bad images are the exception, for which every rank throws.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "port/communicator.h"

namespace convoy {

// What becomes of a JPEG: it stays, or is written anew where that changes no pixel, so that a part of it can be decoded alone:
// with restart markers (jpeg_rewrite.h), or as its coefficients (jpeg_coefficients.h).
enum class Jpegs { kept, restart_markers, coefficients };
const char* name_of(Jpegs jpegs);  // "kept", "restart markers", "coefficients"

struct PackOptions {
  std::filesystem::path source;       // folder of class folders or tars, tar of tars, or a flat tar or folder
  std::filesystem::path labels;       // flat sets: "name wnid-or-index" lines, or the devkit's ground truth
  std::filesystem::path devkit_meta;  // meta.mat, the devkit's folder, or its tar.gz
  std::filesystem::path classes;      // class table: a list of wnids, or the folder of a packed dataset
  std::filesystem::path out;
  int shards = 0;  // 0: one per 256 MiB of the source, at least 8 (1 for under 1,000 images), at most 512
  uint64_t seed = 1;
  bool quarantine = false;  // leave bad images out and list them; otherwise one bad image fails the pack
  int threads = 0;          // per rank; 0: the cores this process may use
  Jpegs jpegs = Jpegs::kept;
};

struct BadImage {
  std::string name, where, reason;  // where: file, and byte within an archive
  bool operator==(const BadImage&) const = default;
};

struct PackReport {
  int64_t images = 0, classes = 0, shards = 0, kept_shards = 0;
  uint64_t image_bytes = 0, shard_bytes = 0;
  int64_t warnings = 0, images_with_warnings = 0;  // of the decoder: damage that still decodes
  int64_t skipped = 0;                             // entries of the source that are no images by name
  int64_t rewritten = 0;                           // images written anew
  int64_t duplicates = 0;                          // images whose bytes are another's
  std::vector<std::string> duplicate_examples;     // up to ten, "a equals b"
  std::vector<BadImage> quarantined;
  std::vector<int64_t> histogram;  // images of each class
  std::string fingerprint;         // identity of the dataset: classes, images and their order
  double seconds = 0;
};

// What pack() would do, by the list of the source alone: nothing is decoded, nothing is written. What pack() would refuse
// before its first image, it refuses. For one process.
struct PackForecast {
  std::string source;  // "a tar of tars, ILSVRC2012_img_train.tar"
  int64_t images = 0, classes = 0, shards = 0, skipped = 0;
  uint64_t image_bytes = 0;
  std::vector<int64_t> histogram;  // images of each class
};
PackForecast forecast_pack(const PackOptions& options, const Log& log);

PackReport pack(const PackOptions& options, Communicator& comm, const Log& log);

}  // namespace convoy

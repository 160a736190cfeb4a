// fuzz_seeds FOLDER: READER/* of small files that the readers accept, made by the program's own writers, and a folder of
// images to make archives of. The rest is in seeds.py.
#include <cstdio>
#include <filesystem>

#include "../data/meta_mat.h"
#include "base/file.h"
#include "data/pack.h"
#include "data/synth.h"
#include "interop/weights.h"
#include "small_network.h"
#include "train/checkpoint.h"

int main(int argc, char** argv) {
  using namespace convoy;
  namespace fs = std::filesystem;
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds FOLDER\n", stderr);
    return static_cast<int>(Exit::usage);
  }
  const fs::path folder = argv[1];
  for (const char* reader : {"checkpoint", "safetensors", "shard", "manifest", "devkit"})
    fs::create_directories(folder / reader);
  fuzz::SmallNetwork small;
  write_checkpoint(folder / "checkpoint" / "small.h5", small.graph, small.arena,
                   {3, 7, "hash", "optimizer.momentum = 0.9\n", "threads = 1\n", "bitwise"});
  export_weights(folder / "safetensors" / "small", small.graph, small.arena, 3, {{"format", "pt"}});
  synthesize_folder({.classes = 2, .train_per_class = 2, .val_per_class = 1, .size = 16}, folder / "images");
  PackOptions options;
  options.source = folder / "images" / "train";
  options.out = folder / "set";
  options.threads = 1;
  LocalCommunicator comm;
  pack(options, comm, Log{});
  fs::copy_file(folder / "set" / "shard-00000-of-00001.h5", folder / "shard" / "small.h5");
  fs::copy_file(folder / "set" / "dataset.json", folder / "manifest" / "small.json");
  const std::vector<fixtures::Synset> synsets{{1, "n00000030", "kit fox", 0}, {2, "n00000010", "animal", 2}};
  fixtures::write_meta(folder / "devkit" / "plain.mat", synsets, MAT_COMPRESSION_NONE);
  fixtures::write_meta(folder / "devkit" / "packed.mat", synsets);
  return 0;
}

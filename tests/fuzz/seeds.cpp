// fuzz_seeds FOLDER: READER/* of small files that the readers accept, made by the program's own writers, and a folder of
// images to make archives of. The rest is in seeds.py.
#include <cstdio>
#include <filesystem>

#include "../data/meta_mat.h"
#include "base/file.h"
#include "base/random.h"
#include "data/coefficient_record.h"
#include "data/pack.h"
#include "data/synth.h"
#include "interop/weights.h"
#include "small_network.h"
#include "train/checkpoint.h"

namespace {

using namespace convoy;

// Of each number of components and each sampling, with blocks of every density and some wide values.
void write_coefficients(const std::filesystem::path& folder) {
  Random random(1, stream_of("seeds"));
  for (const auto& [components, across, down] :
       {std::array{1, 1, 1}, {3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {3, 2, 2}}) {
    CoefficientRecord record;
    record.width = 37;
    record.height = 21;
    record.components = components;
    record.across = across;
    record.down = down;
    lay_out_record(record);
    std::vector<std::byte> bytes(record.header_bytes);
    for (auto& component : record.component) component.quantizers.fill(3);
    for (size_t c = 0; c < static_cast<size_t>(components); ++c)
      for (int row = 0; row < record.component[c].blocks_down; ++row) {
        const auto begin = static_cast<uint32_t>(bytes.size());
        std::memcpy(bytes.data() + record.component[c].rows_at + static_cast<size_t>(row) * sizeof begin,
                    &begin, sizeof begin);
        for (int b = 0; b < record.component[c].blocks_across; ++b) {
          std::array<int16_t, block_size> block{};
          for (uint32_t n = random.next_below(20); n > 0; --n)
            block[random.next_below(block_size)] = static_cast<int16_t>(random.next_below(270)) - 135;
          bytes.resize(bytes.size() + most_block_bytes);
          std::byte* to = bytes.data() + bytes.size() - most_block_bytes;
          bytes.resize(bytes.size() - most_block_bytes + put_block(block.data(), to));
        }
      }
    write_record_header(record, bytes);
    bytes.resize(bytes.size() + record_tail);
    replace_file(folder / fmt::format("{}-{}x{}", components, across, down),
                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds FOLDER\n", stderr);
    return static_cast<int>(Exit::usage);
  }
  const fs::path folder = argv[1];
  for (const char* reader : {"checkpoint", "safetensors", "shard", "manifest", "devkit", "coefficients"})
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
  write_coefficients(folder / "coefficients");
  return 0;
}

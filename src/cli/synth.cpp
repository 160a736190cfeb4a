// convoy synth: a small image set that can be learned, made without any download.
#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "cli/commands.h"
#include "data/synth.h"

namespace convoy::cli {
namespace {

struct Flags {
  SynthOptions options;
  std::string out;
};

int make_images(const Flags& flags) {
  namespace fs = std::filesystem;
  require(!fs::exists(flags.out) || fs::is_empty(flags.out),
          "{} exists and is not empty: name a new folder with --out, so that no image of another set stays "
          "among these",
          flags.out);
  synthesize_folder(flags.options, flags.out);
  const SynthOptions& o = flags.options;
  fmt::print("{}: {} classes of shapes, {} x {} pixels, {} training and {} held-out images\n", flags.out,
             o.classes, o.size, o.size, o.classes * o.train_per_class, o.classes * o.val_per_class);
  return 0;
}

}  // namespace

void add_synth(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("synth", "make a learnable image set, no download needed");
  auto flags = std::make_shared<Flags>();
  SynthOptions& o = flags->options;
  command->add_option("--out", flags->out, "new folder; gets train/, val/ and classes.tsv")->required();
  command->add_option("--classes", o.classes, "shapes to tell apart")
      ->capture_default_str()
      ->check(CLI::Range(2, 16));
  command->add_option("--train-per-class", o.train_per_class, "training images of each class")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  command->add_option("--val-per-class", o.val_per_class, "held-out images of each class")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  command->add_option("--size", o.size, "pixels a side")->capture_default_str()->check(CLI::Range(16, 1024));
  command->add_option("--quality", o.quality, "of the JPEGs")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_option("--seed", o.seed, "another seed, another set")->capture_default_str();
  command->callback([&context, flags] { context.chosen = [flags] { return make_images(*flags); }; });
}

}  // namespace convoy::cli

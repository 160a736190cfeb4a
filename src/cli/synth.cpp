// convoy synth: a small image set that can be learned, made without any download.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "data/synth.h"

namespace convoy::cli {
namespace {

struct Flags {
  SynthOptions options;
  std::string out;
  Voice voice;
  bool dry_run = false;
};

int make_images(const Flags& flags) {
  namespace fs = std::filesystem;
  require(!fs::exists(flags.out) || fs::is_empty(flags.out),
          "{} exists and is not empty: name a new folder with --out, so that no image of another set stays "
          "among these",
          flags.out);
  const SynthOptions& o = flags.options;
  const int training = o.classes * o.train_per_class, held_out = o.classes * o.val_per_class;
  const Log log = flags.voice.log();
  for (int label = 0; label < o.classes; ++label)
    log.detail("class {} is {}, {}", label, synth_wnid(label), synth_word(label));
  if (!flags.dry_run) {
    log.info("making {} images in {}", training + held_out, flags.out);
    synthesize_folder(o, flags.out);
  }
  if (flags.voice.json)
    print_json_line({{"dry_run", flags.dry_run},
                     {"out", flags.out},
                     {"classes", o.classes},
                     {"size", o.size},
                     {"training_images", training},
                     {"held_out_images", held_out},
                     {"seed", o.seed}});
  else
    fmt::print("{}{}: {} classes of shapes, {} x {} pixels, {} training and {} held-out images{}\n",
               flags.dry_run ? "would make " : "", flags.out, o.classes, o.size, o.size, training, held_out,
               flags.dry_run ? "; nothing is written" : "");
  return 0;
}

}  // namespace

void add_synth(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("synth", "make a learnable image set, no download needed");
  set_examples(*command, {"convoy synth --out images",
                          "convoy synth --out images --classes 4 --train-per-class 100 --size 32"});
  auto flags = std::make_shared<Flags>();
  SynthOptions& o = flags->options;
  command->add_option("--out", flags->out, "new folder; gets train/, val/ and classes.tsv")
      ->required()
      ->type_name("FOLDER");
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
  command->add_flag("--dry-run", flags->dry_run, "say what would be made; write nothing");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] { context.chosen = [flags] { return make_images(*flags); }; });
}

}  // namespace convoy::cli

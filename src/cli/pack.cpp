// convoy pack SOURCE --out DATASET: images as people have them into checked HDF5 shards (data/FORMAT.md).
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "data/pack.h"

namespace convoy::cli {
namespace {

struct Flags {
  PackOptions options;
  std::string on_bad = "fail";
  bool quiet = false;
};

void print_report(const PackReport& report, const PackOptions& options) {
  const auto [fewest, most] = std::minmax_element(report.histogram.begin(), report.histogram.end());
  fmt::print("{}: {} images of {} classes ({} to {} each), {} in {} shards, {:.0f} images/s\n",
             options.out.string(), report.images, report.classes, *fewest, *most,
             human_bytes(report.shard_bytes), report.shards,
             static_cast<double>(report.images) / std::max(report.seconds, 1e-3));
  fmt::print("  fingerprint {}\n", report.fingerprint);
  if (report.kept_shards > 0)
    fmt::print("  {} shards of an earlier try were whole and were kept\n", report.kept_shards);
  if (report.images_with_warnings > 0)
    fmt::print("  {} images decode with warnings ({} in all): slight damage, kept\n",
               report.images_with_warnings, report.warnings);
  if (report.skipped > 0)
    fmt::print("  {} entries of the source are no images and were skipped\n", report.skipped);
  if (report.duplicates > 0) {
    fmt::print("  {} images are byte for byte the same as another\n", report.duplicates);
    for (const std::string& example : report.duplicate_examples) fmt::print("    {}\n", example);
  }
  for (const BadImage& bad : report.quarantined)
    fmt::print("  left out: {} ({}): {}\n", bad.name, bad.where, bad.reason);
}

int pack_images(Flags flags, Communicator& comm) {
  flags.options.quarantine = flags.on_bad == "quarantine";
  const Log log(flags.quiet ? Log::Level::quiet : Log::Level::normal, comm.rank(), comm.host());
  const PackReport report = pack(flags.options, comm, log);
  if (comm.rank() == 0) print_report(report, flags.options);
  return 0;
}

}  // namespace

void add_pack(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("pack", "pack images into HDF5 shards; under mpirun, in parallel");
  command->footer(
      "ImageNet as it is handed out, nothing extracted first:\n"
      "  convoy pack ILSVRC2012_img_train.tar --out imagenet/train\n"
      "  convoy pack ILSVRC2012_img_val.tar --labels ILSVRC2012_devkit_t12 --classes imagenet/train --out "
      "imagenet/val\n"
      "Run again after a kill, it keeps the finished shards.");
  auto flags = std::make_shared<Flags>();
  PackOptions& o = flags->options;
  command
      ->add_option("source", o.source,
                   "folder of class folders, the official tar of tars, or a flat tar or folder")
      ->required();
  command->add_option("--out", o.out, "folder of the packed dataset")->required();
  command->add_option(
      "--labels", o.labels,
      "flat sources: a file of \"name wnid\" lines, or the devkit (folder or ground truth file)");
  command->add_option("--devkit-meta", o.devkit_meta, "meta.mat, if it does not lie beside the ground truth");
  command->add_option("--classes", o.classes, "class table: the packed training set, or a list of wnids");
  command->add_option("--seed", o.seed, "of the shuffle over all shards")->capture_default_str();
  command->add_option("--shards", o.shards, "number of shards (default: by size, about 256 MiB each)")
      ->check(CLI::Range(0, 65536));
  command
      ->add_option("--on-bad", flags->on_bad,
                   "an image that does not decode: fail, or quarantine (leave out and list)")
      ->capture_default_str()
      ->check(CLI::IsMember({"fail", "quarantine"}));
  command->add_option("--threads", o.threads, "decoder threads of each rank (default: its cores)");
  command->add_flag("--quiet", flags->quiet, "no progress lines");
  command->callback([&context, flags] {
    context.chosen = [flags, &context] {
      return under_mpi(context, [&](Communicator& comm) { return pack_images(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli

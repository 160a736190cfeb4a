// convoy pack SOURCE --out DATASET: images as people have them into checked HDF5 shards (data/FORMAT.md).
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "data/pack.h"

namespace convoy::cli {
namespace {

struct Flags {
  PackOptions options;
  std::string on_bad = "fail";
  bool restart_markers = false, coefficients = false;
  Voice voice;
  bool dry_run = false;
};

using Json = nlohmann::ordered_json;

Json report_json(const PackReport& report, const PackOptions& options) {
  Json left_out = Json::array();
  for (const BadImage& bad : report.quarantined)
    left_out.push_back({{"name", bad.name}, {"where", bad.where}, {"reason", bad.reason}});
  return {{"out", options.out.string()},
          {"images", report.images},
          {"classes", report.classes},
          {"shards", report.shards},
          {"kept_shards", report.kept_shards},
          {"image_bytes", report.image_bytes},
          {"shard_bytes", report.shard_bytes},
          {"fingerprint", report.fingerprint},
          {"decoder_warnings", report.warnings},
          {"skipped", report.skipped},
          {"jpegs", name_of(options.jpegs)},
          {"rewritten", report.rewritten},
          {"duplicates", report.duplicates},
          {"left_out", left_out},
          {"seconds", report.seconds}};
}

int forecast(const Flags& flags, const Log& log) {
  const PackForecast f = forecast_pack(flags.options, log);
  const std::string out = flags.options.out.string();
  const auto [fewest, most] = std::minmax_element(f.histogram.begin(), f.histogram.end());
  if (flags.voice.json)
    print_json_line({{"dry_run", true},
                     {"out", out},
                     {"source", f.source},
                     {"images", f.images},
                     {"classes", f.classes},
                     {"shards", f.shards},
                     {"image_bytes", f.image_bytes},
                     {"jpegs", name_of(flags.options.jpegs)},
                     {"skipped", f.skipped}});
  else
    fmt::print(
        "would decode {} images of {} classes ({} to {} each), {}, from {}, and pack them into {} shards in {}{}; "
        "nothing is written\n",
        f.images, f.classes, *fewest, *most, human_bytes(f.image_bytes), f.source, f.shards, out,
        flags.options.jpegs == Jpegs::coefficients ? ", JPEGs as coefficients: about twice these bytes" : "");
  return 0;
}

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
  if (options.jpegs != Jpegs::kept)
    fmt::print("  {} images are written anew {}, {} stay as they are\n", report.rewritten,
               options.jpegs == Jpegs::coefficients ? "as their coefficients" : "with restart markers",
               report.images - report.rewritten);
  if (report.skipped > 0)
    fmt::print("  {} entries of the source are no images and were skipped\n", report.skipped);
  if (report.duplicates > 0) {
    fmt::print("  {} images are byte for byte the same as another{}\n", report.duplicates,
               options.jpegs == Jpegs::kept ? "" : ", as they lie in the shards");
    for (const std::string& example : report.duplicate_examples) fmt::print("    {}\n", example);
  }
  for (const BadImage& bad : report.quarantined)
    fmt::print("  left out: {} ({}): {}\n", bad.name, bad.where, bad.reason);
}

int pack_images(Flags flags, Communicator& comm) {
  flags.options.quarantine = flags.on_bad == "quarantine";
  if (flags.restart_markers) flags.options.jpegs = Jpegs::restart_markers;
  if (flags.coefficients) flags.options.jpegs = Jpegs::coefficients;
  const Log log = flags.voice.log(comm.rank(), comm.host());
  if (flags.dry_run) return comm.rank() == 0 ? forecast(flags, log) : 0;
  const PackReport report = pack(flags.options, comm, log);
  if (comm.rank() != 0) return 0;
  if (flags.voice.json)
    print_json_line(report_json(report, flags.options));
  else
    print_report(report, flags.options);
  return 0;
}

}  // namespace

void add_pack(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("pack", "pack images into HDF5 shards; under mpirun, in parallel");
  set_examples(*command,
               {"mpirun -n 8 convoy pack ILSVRC2012_img_train.tar --out imagenet/train",
                "convoy pack ILSVRC2012_img_val.tar --labels ILSVRC2012_devkit_t12 \\",
                "  --classes imagenet/train --out imagenet/val", "convoy pack pictures --out set --dry-run"});
  command->footer(
      "ImageNet is taken as it is handed out, nothing extracted first. Run again after a kill, it keeps the "
      "finished shards.");
  auto flags = std::make_shared<Flags>();
  PackOptions& o = flags->options;
  command
      ->add_option("source", o.source,
                   "folder of class folders, the official tar of tars, or a flat tar or folder")
      ->required();
  command->add_option("--out", o.out, "folder of the packed dataset")->required()->type_name("FOLDER");
  command->add_option(
      "--labels", o.labels,
      "flat sources: a file of \"name wnid\" lines, or the devkit (folder or ground truth file)");
  command->add_option("--devkit-meta", o.devkit_meta, "meta.mat, if it does not lie beside the ground truth");
  command->add_option("--classes", o.classes, "class table: the packed training set, or a list of wnids")
      ->type_name("FOLDER");
  command->add_option("--seed", o.seed, "of the shuffle over all shards")->capture_default_str();
  command->add_option("--shards", o.shards, "number of shards (default: one per 256 MiB of the source)")
      ->check(CLI::Range(0, 65536));
  command
      ->add_option("--on-bad", flags->on_bad,
                   "an image that does not decode: fail, or quarantine (leave out and list)")
      ->capture_default_str()
      ->check(one_of({"fail", "quarantine"}));
  auto* markers = command->add_flag(
      "--restart-markers", flags->restart_markers,
      "write JPEGs anew without loss so that training decodes no more than its crops: the same "
      "pixels, other bytes (and so another fingerprint), no EXIF");
  command
      ->add_flag(
          "--coefficients", flags->coefficients,
          "write JPEGs as their DCT coefficients: the same pixels, decoded much faster, about twice the bytes, "
          "and nothing but convoy reads them")
      ->excludes(markers);
  command->add_option("--threads", o.threads, "decoder threads of each rank (default: its cores)");
  command->add_flag("--dry-run", flags->dry_run, "say what would be packed; write nothing");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] {
    context.chosen = [flags, &context] {
      return under_mpi(context, [&](Communicator& comm) { return pack_images(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli

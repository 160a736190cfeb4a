// convoy compare A B [C ...]: runs side by side, or the reason why they may not be compared.
#include "report/compare.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "report/html.h"
#include "report/print.h"
#include "report/read.h"

namespace convoy::cli {
namespace {

constexpr const char* footer =
    R"(A run is a folder with a result.json, that file, an MLPerf result_*.txt, Google Benchmark's or hyperfine's JSON, or a log
of torchvision's or FFCV's; a folder of runs, or a quoted pattern, is one side of several.

Exit code: 0 no regression against A; 1 a regression, or a --fail-if that holds; 2 not comparable (the differing keys are
printed), or a file that is no result; 64 usage.)";

struct Flags {
  std::vector<std::string> runs, rules, group_by;
  std::string reference, html;
  bool markdown = false, csv = false, json = false;
  report::CompareOptions options;
};

int compare_runs(Flags& flags) {
  for (const std::string& rule : flags.rules) flags.options.rules.push_back(report::parse_rule(rule));
  flags.options.group_by = flags.group_by;
  if (!flags.reference.empty())
    flags.options.references.points = report::read_reference_points(flags.reference);
  std::vector<std::vector<report::Run>> arguments;
  for (const std::string& name : flags.runs) {
    arguments.emplace_back();
    for (const auto& path : report::find_runs(name)) arguments.back().push_back(report::read_run(path));
  }
  const report::Comparison comparison = report::compare(std::move(arguments), flags.options);
  if (!flags.html.empty()) replace_file(flags.html, report::html_page(comparison));
  fmt::print("{}", flags.json       ? report::json(comparison)
                   : flags.csv      ? report::csv(comparison)
                   : flags.markdown ? report::markdown(comparison)
                                    : report::table(comparison));
  return comparison.exit_code;
}

// 1 is a regression, and nothing else: whatever else goes wrong is 2 or 64.
int compare_or_say_why(Flags flags) {
  try {
    return compare_runs(flags);
  } catch (const Error& error) {
    throw Error(error.what(), error.code() == Exit::usage ? Exit::usage : Exit::diverged);
  } catch (const std::exception& error) {  // no memory for it, ...
    fail(Exit::diverged, "these runs cannot be compared: {}", error.what());
  }
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("compare", "put runs side by side; refuses what may not be compared");
  command->footer(footer);
  set_examples(
      *command,
      {"convoy compare runs/a runs/b",
       "convoy compare runs/a runs/b --html page.html            # tables and charts for a browser",
       "convoy compare 'runs/lars-seed*' 'runs/sgd-seed*'        # seeds: mean, sd, Welch's test",
       "convoy compare runs --group-by experiment.recipe,launch.backend",
       "convoy compare runs/mine mlperf/result_0.txt             # another program's log",
       "convoy compare runs/a runs/b --fail-if 'images_per_s < -5%' --fail-if 'held_out_top1 < -0.2'"});
  auto flags = std::make_shared<Flags>();
  command->add_option("RUN", flags->runs, "runs; the first is what the others are held against")
      ->required()
      ->type_name("RESULT");
  command->add_flag("--force", flags->options.force, "compare what is not comparable all the same");
  command
      ->add_option(
          "--fail-if", flags->rules,
          "exit with 1 if this holds of the change against A, instead of on a regression: 'METRIC < -5%'")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  command->add_option("--group-by", flags->group_by, "runs with equal values of these keys are one side")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--speed-margin", flags->options.rows.speed_margin,
                   "relative difference of throughput that counts")
      ->capture_default_str();
  command
      ->add_option("--accuracy-margin", flags->options.rows.accuracy_margin,
                   "absolute difference of held-out top-1 that counts between unequal bits")
      ->capture_default_str();
  command->add_flag("--rank-test", flags->options.rows.rank_test,
                    "over seeds: Mann-Whitney instead of Welch");
  command
      ->add_option("--reference", flags->reference,
                   "epochs to converge to hold the runs against (JSON as MLPerf's rcps_*.json)")
      ->type_name("FILE");
  command
      ->add_option(
          "--target", flags->options.references.target,
          "held-out top-1 at which a run has converged, for MLPerf's reference points or --reference")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--html", flags->html, "also write a page with tables and charts into this file")
      ->type_name("FILE");
  auto* json = add_json(*command, flags->json);
  auto* csv = command->add_flag("--csv", flags->csv, "CSV, one line a quantity and side")->excludes(json);
  command->add_flag("--md", flags->markdown, "Markdown")->excludes(json)->excludes(csv);
  command->callback([&context, flags] { context.chosen = [flags] { return compare_or_say_why(*flags); }; });
}

}  // namespace convoy::cli

// convoy compare A B: two runs side by side, or the reason why they may not be compared.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/tree.h"
#include "train/compare.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::string a, b;
  CompareOptions options;
};

int compare_runs(const Flags& flags) {
  const Json a = read_result(flags.a), b = read_result(flags.b);
  const Comparison comparison = compare(a, b, flags.options);
  fmt::print("{}", comparison.text);
  return comparison.exit_code;
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("compare", "put two runs side by side; refuses what may not be compared");
  command->footer(
      "Exit code: 0 no regression of B against A, 1 regression, 2 not comparable (the differing keys are "
      "printed).");
  set_examples(*command, {"convoy compare runs/a runs/b"});
  auto flags = std::make_shared<Flags>();
  command->add_option("A", flags->a, "a run's folder, or its result.json")->required();
  command->add_option("B", flags->b, "the run to hold against it")->required();
  command->add_flag("--force", flags->options.force, "compare what is not comparable all the same");
  command
      ->add_option("--speed-margin", flags->options.speed_margin,
                   "relative difference of throughput that counts")
      ->capture_default_str();
  command
      ->add_option("--accuracy-margin", flags->options.accuracy_margin,
                   "absolute difference of held-out top-1 that counts between unequal bits")
      ->capture_default_str();
  command->callback([&context, flags] { context.chosen = [flags] { return compare_runs(*flags); }; });
}

}  // namespace convoy::cli

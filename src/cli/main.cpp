// Entry point: picks the command, and is the one place where an error is printed and becomes an exit code
// (base/error.h).
#include <fmt/format.h>

#include <exception>
#include <memory>
#include <new>

#include "base/colour.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/mistake.h"

namespace convoy::cli {
namespace {

constexpr const char* overview = R"(convoy: large-minibatch training of ResNets and AlexNets on HPC machines

  convoy synth  --out images                                    make a small learnable image set
  convoy pack   images/train --out set/train                    pack images into HDF5 shards
  convoy plan   jobs/demo.toml                                  what a job will do, before it does it
  mpirun -n 8 convoy train jobs/demo.toml --train set/train --held-out set/val
  convoy launch jobs/demo.toml --machine jobs/launch/machines/slurm-cpu.toml --train set/train
  convoy watch runs/a                                           how a run stands, from any shell
  convoy compare runs/a runs/b                                  two result files side by side
)";

int run(int argc, char** argv) {
  CLI::App app{overview, "convoy"};
  app.formatter(std::make_shared<Help>());
  app.set_help_flag("-h,--help", "this help");
  app.set_version_flag("--version", "convoy " CONVOY_VERSION, "the version");
  app.require_subcommand(1);
  Context context{{argv, argv + argc}, argv, argc, {}};
  add_train(app, context);
  add_pack(app, context);
  add_verify(app, context);
  add_stage(app, context);
  add_synth(app, context);
  add_plan(app, context);
  add_evaluate(app, context);
  add_info(app, context);
  add_compare(app, context);
  add_completion(app, context);
  add_man(app, context);
  add_watch(app, context);
  add_predict(app, context);
  add_export(app, context);
  add_diff(app, context);
  add_simulate(app, context);
  add_calibrate(app, context);
  add_bench(app, context);
  add_launch(app, context);
  if (argc == 1) {
    fmt::print("{}", app.help());
    return static_cast<int>(Exit::usage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error, context.arguments);
  }
  return context.chosen();
}

}  // namespace
}  // namespace convoy::cli

int main(int argc, char** argv) {
  try {
    return convoy::cli::run(argc, argv);
  } catch (const convoy::Error& error) {
    convoy::print_error(error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    convoy::print_error(
        "out of memory; `convoy plan` shows what a job needs: use fewer images per worker, or more nodes");
    return static_cast<int>(convoy::Exit::failed);
  } catch (const std::exception& error) {
    convoy::print_error(error.what());
    return static_cast<int>(convoy::Exit::failed);
  }
}

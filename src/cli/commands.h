// The commands of `convoy`, one file each. add_X() declares a command's flags and, when the command is the one called,
// leaves what is to be done in `chosen`; main() runs it, prints an error once, and turns it into the exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace convoy::cli {

struct Context {
  std::vector<std::string> arguments;  // the command line, for records
  char** argv = nullptr;               // for MPI_Init
  int argc = 0;
  std::function<int()> chosen;
};

void add_train(CLI::App& app, Context& context);
void add_evaluate(CLI::App& app, Context& context);
void add_pack(CLI::App& app, Context& context);
void add_stage(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
void add_synth(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_info(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_man(CLI::App& app, Context& context);
void add_watch(CLI::App& app, Context& context);
void add_predict(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_simulate(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_calibrate(CLI::App& app, Context& context);
void add_launch(CLI::App& app, Context& context);

}  // namespace convoy::cli

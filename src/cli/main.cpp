// Entry point: picks the command, explains mistyped words, and is the one place where an error is printed and becomes
// an exit code (base/error.h).
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "comm/launch.h"

namespace convoy::cli {
namespace {

constexpr const char* overview = R"(convoy: large-minibatch training of ResNets and AlexNets on HPC machines

  convoy synth  --out images                                    make a small learnable image set
  convoy pack   images/train --out set/train                    pack images into HDF5 shards
  convoy plan   jobs/demo.toml                                  what a job will do, before it does it
  mpirun -n 8 convoy train jobs/demo.toml --train set/train --held-out set/val
  convoy compare runs/a runs/b                                  two result files side by side
)";

std::string suggestion_for(const std::string& word, const CLI::App& app) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  const auto used = app.get_subcommands();
  if (!used.empty()) {
    known.clear();
    for (const CLI::Option* option : used.front()->get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::string near = nearest(word, known);
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  const auto used = app.get_subcommands();
  const std::string command = used.empty() ? "convoy" : "convoy " + used.front()->get_name();
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto extras = app.remaining(true);
    const std::string word = extras.empty() ? "" : extras.front().substr(0, extras.front().find('='));
    text = fmt::format("{} is not {} of `{}`{}", word,
                       used.empty()            ? "a command"
                       : word.starts_with("-") ? "a flag"
                                               : "an argument",
                       command, suggestion_for(word, app));
  } else if (used.empty() && words.size() > 1) {
    text = fmt::format("{} is not a command of `convoy`{}", words[1], suggestion_for(words[1], app));
  }
  // Found before MPI starts, by every rank of the job: one of them says it.
  const auto launched = launch_claim([](const char* name) -> const char* { return std::getenv(name); });
  if (!launched || launched->rank == 0)
    fmt::print(stderr, "convoy: {}; `{} --help` shows what there is\n", text, command);
  return static_cast<int>(Exit::usage);
}

int run(int argc, char** argv) {
  CLI::App app{overview, "convoy"};
  app.set_version_flag("--version", "convoy " CONVOY_VERSION);
  app.require_subcommand(1);
  Context context{{argv, argv + argc}, argv, argc, {}};
  add_train(app, context);
  add_pack(app, context);
  add_verify(app, context);
  add_synth(app, context);
  add_plan(app, context);
  add_evaluate(app, context);
  add_info(app, context);
  add_compare(app, context);
  add_predict(app, context);
  add_export(app, context);
  add_diff(app, context);
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
    fmt::print(stderr, "convoy: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "convoy: out of memory; `convoy plan` shows what a job needs: use fewer images per worker, or "
               "more nodes\n");
    return static_cast<int>(convoy::Exit::failed);
  } catch (const std::exception& error) {
    fmt::print(stderr, "convoy: {}\n", error.what());
    return static_cast<int>(convoy::Exit::failed);
  }
}

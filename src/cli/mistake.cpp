#include "cli/mistake.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "base/colour.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/tree.h"
#include "comm/launch.h"

namespace convoy::cli {
namespace {

// The nearest flag without regard to its dashes, which would make every flag alike.
std::string nearest_flag(const std::string& word, const CLI::App& command) {
  std::vector<std::string> known;
  for (const Flag& flag : flags_of(command)) known.push_back(flag.names.back().substr(2));
  const std::string near = nearest(word.substr(std::min(word.find_first_not_of('-'), word.size())), known);
  return near.empty() ? "" : "--" + near;
}

std::string nearest_command(const std::string& word, const CLI::App& app) {
  std::vector<std::string> known;
  for (const CLI::App* command : commands_of(app)) known.push_back(command->get_name());
  return nearest(word, known);
}

std::string unknown(const std::string& word, const std::string& what, const std::string& near) {
  return fmt::format("{} is not {}{}", word, what,
                     near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}

}  // namespace

int usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  const auto used = app.get_subcommands();
  const std::string name = used.empty() ? "convoy" : "convoy " + used.front()->get_name();
  const auto extras = app.remaining(true);
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    const std::string word = extras.front().substr(0, extras.front().find('='));
    const CLI::App& command = used.empty() ? app : *used.front();
    text = word.starts_with("-")
               ? unknown(word, fmt::format("a flag of `{}`", name), nearest_flag(word, command))
           : used.empty() ? unknown(word, "a command of `convoy`", nearest_command(word, app))
                          : unknown(word, fmt::format("an argument of `{}`", name), "");
  } else if (used.empty() && words.size() > 1) {
    const std::string& word = words[1];
    text = word.starts_with("-") ? unknown(word, "a flag of `convoy`", nearest_flag(word, app))
                                 : unknown(word, "a command of `convoy`", nearest_command(word, app));
  }
  // Found before MPI starts, by every rank of the job: one of them says it.
  const auto launched =
      launch_claim([](const char* variable) -> const char* { return std::getenv(variable); });
  if (!launched || launched->rank == 0)
    print_error(fmt::format("{}; `{} --help` shows what there is", text, name));
  return static_cast<int>(Exit::usage);
}

}  // namespace convoy::cli

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion.h"
#include "cli/job_keys.h"

namespace convoy::cli {
namespace {

// Inside '...' and within a specification of _arguments, where : [ ] have meanings.
std::string quoted(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') safe += '\\';
    if (c == '\'')
      safe += "'\\''";
    else
      safe += c;
  }
  return safe;
}

std::string action(const Flag& flag) {
  switch (offer_for(flag)) {
    case Offer::words:
      return fmt::format("({})", quoted(fmt::format("{}", fmt::join(flag.choices, " "))));
    case Offer::files:
      return "_files";
    case Offer::folders:
      return "_files -/";
    case Offer::jobs:
      return "_files -g \"*.toml\"";
    case Offer::keys:
      return "_convoy_keys";
    case Offer::nothing:
      break;
  }
  return " ";
}

std::string specification(const Flag& flag) {
  std::string lines;
  for (const std::string& name : flag.names) {
    const std::string value =
        flag.value.empty() ? "" : fmt::format(":{}:{}", quoted(flag.value), action(flag));
    lines += fmt::format(" \\\n          '{}{}[{}]{}'", flag.many ? "*" : "", name, quoted(flag.text), value);
  }
  return lines;
}

std::string arguments(const CLI::App& command) {
  std::string lines;
  int place = 1;
  for (const Flag& argument : arguments_of(command)) {
    const std::string where = argument.many ? "*" : std::to_string(place++);
    lines +=
        fmt::format(" \\\n          '{}:{}:{}'", where, quoted(argument.names.front()), action(argument));
  }
  return lines;
}

}  // namespace

std::string zsh_completion(const CLI::App& app) {
  std::string values, keys, commands, cases;
  for (const JobKey& key : job_keys()) {
    keys += " " + key.name;
    if (!key.choices.empty())
      values +=
          fmt::format("      {}) compset -P '*='; compadd -- {} ;;\n", key.name, fmt::join(key.choices, " "));
  }
  for (const CLI::App* command : commands_of(app)) {
    commands += fmt::format("        '{}:{}'\n", name_of(*command), quoted(purpose_of(*command)));
    std::string specifications;
    for (const Flag& flag : flags_of(*command)) specifications += specification(flag);
    cases += fmt::format("        {})\n        _arguments{}{}\n        ;;\n", name_of(*command),
                         specifications, arguments(*command));
  }
  std::string root;
  for (const Flag& flag : flags_of(app)) root += specification(flag);
  return "#compdef convoy\n# zsh completion for convoy, as `convoy completion zsh` prints it\n"
         "_convoy_keys() {\n  if [[ $PREFIX == *=* ]]; then\n    case ${PREFIX%%=*} in\n" +
         values + "    esac\n  else\n    compadd -S = --" + keys +
         "\n  fi\n}\n"
         "_convoy() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  _arguments -C" +
         root +
         " \\\n          '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n"
         "      local -a commands=(\n" +
         commands +
         "      )\n      _describe command commands\n      ;;\n    argument)\n      case $words[1] in\n" +
         cases +
         "      esac\n      ;;\n  esac\n}\n"
         "if [[ $funcstack[1] == _convoy ]]; then _convoy \"$@\"; else compdef _convoy convoy; fi\n";
}

}  // namespace convoy::cli

#include "cli/tree.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.h"

namespace convoy::cli {
namespace {

// CLI11 joins the type's name and what its checks say of themselves: "INT:INT in [0 - 9]", "TEXT:{tree,library}".
std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  const size_t brace = type.find('{');
  if (brace != std::string::npos) return type.substr(brace, type.find('}') - brace + 1);
  const std::string name = type.substr(0, type.find(':'));
  return name == "INT" || name == "UINT" ? "N" : name == "FLOAT" ? "X" : name;
}

std::vector<std::string> choices_in(const std::string& value) {
  if (!value.starts_with("{")) return {};
  return CLI::detail::split(value.substr(1, value.size() - 2), ',');
}

Flag flag_of(const CLI::Option& option) {
  Flag flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (flag.names.empty()) flag.names.push_back(option.get_name(true, false));
  flag.value = value_of(option);
  flag.choices = choices_in(flag.value);
  flag.text = option.get_description();
  std::string standard = option.get_default_str();
  if (standard.starts_with("[")) standard = standard.substr(1, standard.size() - 2);  // of a list
  if (!standard.empty()) flag.text += fmt::format(" (default: {})", standard);
  flag.required = option.get_required();
  flag.many = option.get_expected_max() == CLI::detail::expected_max_vector_size;
  return flag;
}

std::vector<Flag> facts(const CLI::App& command, bool arguments) {
  std::vector<Flag> flags;
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional() == arguments && !option->get_group().empty())
      flags.push_back(flag_of(*option));
  return flags;
}

}  // namespace

std::vector<Flag> flags_of(const CLI::App& command) { return facts(command, false); }
std::vector<Flag> arguments_of(const CLI::App& command) { return facts(command, true); }

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_name().empty(); });
}

void set_examples(CLI::App& command, std::initializer_list<const char*> lines) {
  command.description(fmt::format("{}\n\n  {}\n", purpose_of(command), fmt::join(lines, "\n  ")));
}

std::string name_of(const CLI::App& command) { return command.get_name(); }

std::string purpose_of(const CLI::App& command) {
  const std::string text = command.get_description();
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> examples_of(const CLI::App& command) {
  std::vector<std::string> examples;
  for (const std::string& line : lines_of(command.get_description()))
    if (line.starts_with("  ")) examples.push_back(line.substr(2));
  return examples;
}

std::string usage_of(const CLI::App& command, const std::string& name) {
  std::string line = name;
  for (const Flag& argument : arguments_of(command)) {
    const std::string word = argument.names.front() + (argument.many ? "..." : "");
    line += fmt::format("{}{}{}", argument.required ? " " : " [", word, argument.required ? "" : "]");
  }
  for (const Flag& flag : flags_of(command))
    if (flag.required) line += fmt::format(" {} {}", flag.names.back(), flag.value);
  return line + (commands_of(command).empty() ? " [flags]" : " COMMAND");
}

std::string choices_text(const std::vector<std::string>& choices) {
  return fmt::format("{{{}}}", fmt::join(choices, ","));
}

CLI::Validator one_of(std::vector<std::string> choices) {
  const std::string description = choices_text(choices);
  return CLI::Validator(
      [choices = std::move(choices)](const std::string& word) {
        if (std::find(choices.begin(), choices.end(), word) != choices.end()) return std::string();
        const std::string near = nearest(word, choices);
        return fmt::format("there is no {}{}; known: {}", word,
                           near.empty() ? "" : fmt::format(", did you mean {}?", near),
                           fmt::join(choices, ", "));
      },
      description);
}

}  // namespace convoy::cli

#include "cli/help.h"

#include <fmt/color.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/colour.h"
#include "cli/tree.h"

namespace convoy::cli {
namespace {

constexpr size_t column = 28;

std::string heading(const std::string& text) {
  return "\n" + fmt::format(coloured(stdout) ? fmt::emphasis::bold : fmt::text_style(), "{}:", text) + "\n";
}

std::string entry(const std::string& name, const std::string& text) {
  if (name.size() + 2 >= column) return fmt::format("  {}\n{:{}}{}\n", name, "", column, text);
  return fmt::format("  {:<{}}{}\n", name, column - 2, text);
}

std::string list(const std::string& title, const std::vector<Flag>& flags) {
  if (flags.empty()) return "";
  std::string text = heading(title);
  for (const Flag& flag : flags) {
    const bool argument = !flag.names.front().starts_with("-");
    std::string name = fmt::format("{}", fmt::join(flag.names, ", "));
    if (!flag.value.empty() && (!argument || !flag.choices.empty())) name += " " + flag.value;
    if (flag.many) name += " ...";
    text += entry(name, flag.text);
  }
  return text;
}

}  // namespace

std::string Help::make_help(const CLI::App* command, std::string name, CLI::AppFormatMode) const {
  std::string text = command->get_description();
  if (text.empty() || text.back() != '\n') text += '\n';
  text += heading("Usage") + "  " + usage_of(*command, name) + "\n";
  const auto commands = commands_of(*command);
  if (!commands.empty()) text += heading("Commands");
  for (const CLI::App* sub : commands) text += entry(sub->get_name(), purpose_of(*sub));
  text += list("Arguments", arguments_of(*command)) + list("Flags", flags_of(*command));
  if (const std::string footer = command->get_footer(); !footer.empty()) text += "\n" + footer + "\n";
  return text;
}

}  // namespace convoy::cli

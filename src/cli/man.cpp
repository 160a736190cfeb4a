// convoy man: the manual page, as roff, from the tree of commands and the list of job keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include "cli/commands.h"
#include "cli/job_keys.h"
#include "cli/tree.h"

namespace convoy::cli {
namespace {

// Text that roff shall not read as its own: backslashes, hyphens that are to be copied, lines that begin with . or '.
std::string plain(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (safe.empty() || safe.back() == '\n')) safe += "\\&";
    safe += c == '\\' ? "\\e" : c == '-' ? "\\-" : c == '\'' ? "\\(aq" : std::string(1, c);
  }
  return safe;
}

// A list of choices may be longer than a line: it is broken behind a comma.
std::string value_of(const Flag& flag) {
  std::string text;
  for (const char c : plain(flag.value)) text += c == ',' ? ",\\:" : std::string(1, c);
  return " \\fI" + text + "\\fR";
}

std::string entry(const Flag& flag) {
  std::string names;
  for (const std::string& name : flag.names) names += (names.empty() ? "" : ", ") + plain(name);
  const bool argument = !flag.names.front().starts_with("-");
  const bool told = !flag.value.empty() && (!argument || !flag.choices.empty());
  return fmt::format(".TP\n\\fB{}\\fR{}{}\n{}\n", names, told ? value_of(flag) : "", flag.many ? " ..." : "",
                     plain(flag.text));
}

std::string section(const CLI::App& command) {
  std::string text =
      fmt::format(".SS convoy {}\n{}\n", plain(command.get_name()), plain(purpose_of(command)));
  text += ".PP\n.nf\n";
  for (const std::string& line : examples_of(command)) text += plain(line) + "\n";
  text += ".fi\n";
  for (const Flag& argument : arguments_of(command)) text += entry(argument);
  for (const Flag& flag : flags_of(command)) text += entry(flag);
  // Filled anew; an empty line begins a paragraph.
  std::istringstream footer(command.get_footer());
  std::string start = ".PP\n";
  for (std::string line; std::getline(footer, line); start = line.empty() ? ".PP\n" : "")
    if (!line.empty()) text += start + plain(line) + "\n";
  return text;
}

std::string keys() {
  std::string text = ".SH JOB KEYS\nA job file is TOML; \\fB\\-\\-set\\fR takes the same keys.\n";
  for (const JobKey& key : job_keys()) {
    std::string what = key.choices.empty() ? key.range : fmt::format("{}", fmt::join(key.choices, ", "));
    if (!what.empty()) what += "; ";
    text += fmt::format(".TP\n\\fB{}\\fR\n{}default {}\n", plain(key.name), plain(what), plain(key.standard));
  }
  return text;
}

constexpr const char* rest = R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
failed: one sentence on standard error says what, where, and what to do; \fBcompare\fR: a regression
.TP
.B 2
diverged; \fBcompare\fR: not comparable
.TP
.B 64
a mistyped command, flag or key, a rank count that does not fit
.TP
.B 75
storage full or unreachable, the folder in use: the same command may succeed later
.TP
.B 85
stopped by a signal after a checkpoint: go on with \fB\-\-resume\fR
.SH ENVIRONMENT
.TP
.B NO_COLOR
if it is set and not empty, nothing is coloured, not even on a terminal
.SH FILES
.TP
.I runs/<time>_<name>/result.json
what a run did and what its bits depend on; read by \fBconvoy compare\fR
)";

std::string page(const CLI::App& app) {
  std::string text =
      ".TH CONVOY 1 \"\" \"convoy " CONVOY_VERSION "\" \"User commands\"\n.ad l\n.nh\n.SH NAME\n";
  text += "convoy \\- " + plain(purpose_of(app).substr(purpose_of(app).find(' ') + 1)) + "\n.SH SYNOPSIS\n";
  for (const CLI::App* command : commands_of(app))
    text += plain(usage_of(*command, "convoy " + name_of(*command))) + "\n.br\n";
  text += ".SH EXAMPLES\n.nf\n";
  for (const std::string& line : examples_of(app)) text += plain(line) + "\n";
  text += ".fi\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app)) text += section(*command);
  return text + keys() + rest;
}

}  // namespace

void add_man(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("man", "print the manual page");
  set_examples(*command, {"convoy man | man -l -", "convoy man > /usr/local/share/man/man1/convoy.1"});
  command->callback([&app, &context] {
    context.chosen = [&app] {
      fmt::print("{}", page(app));
      return 0;
    };
  });
}

}  // namespace convoy::cli

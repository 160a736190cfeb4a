// What the tree of commands (CLI11's) says of itself, in the form that the help, the man page and the shells' completion
// share, so that none of them knows a command, a flag or a choice by heart.
// A value's type_name tells what it is: JOB, RUN, FOLDER, FILE, KEY=VALUE, N (whole), X (real); choices tell themselves.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace convoy::cli {

struct Flag {
  std::vector<std::string> names;    // "-h", "--help"; of an argument its one name
  std::string value;                 // "FOLDER", "N", "{tree,library}"; "" if it takes none
  std::vector<std::string> choices;  // of the value; empty: any
  std::string text;                  // what it is for, with its default
  bool required = false, many = false;
};

std::vector<Flag> flags_of(const CLI::App& command);
std::vector<Flag> arguments_of(const CLI::App& command);
std::vector<const CLI::App*> commands_of(const CLI::App& app);

// A command's description is one line of what it is for, an empty line, and examples, each indented by two.
void set_examples(CLI::App& command, std::initializer_list<const char*> lines);
std::string name_of(const CLI::App& command);
std::string purpose_of(const CLI::App& command);
std::vector<std::string> examples_of(const CLI::App& command);
std::string usage_of(const CLI::App& command,
                     const std::string& name);  // "convoy pack source --out FOLDER [flags]"

// A value out of a few; a mistyped one is told the nearest.
CLI::Validator one_of(std::vector<std::string> choices);
std::string choices_text(const std::vector<std::string>& choices);  // "{tree,library}", also as a type_name

}  // namespace convoy::cli

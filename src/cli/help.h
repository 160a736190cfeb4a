// `--help`: what a command is for, an example to copy, then its arguments and flags; headings bold on a terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace convoy::cli {

class Help : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* command, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace convoy::cli

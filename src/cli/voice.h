// How much a command says, and in which form, by the same three flags on every command. Standard output has the result,
// as text or with --json as one JSON object; standard error has the log: warnings alone with --quiet, what goes on, or
// with --verbose its details too.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/log.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace convoy::cli {

struct Voice {
  bool quiet = false, verbose = false, json = false;
  Log::Level level() const;
  Log log(int rank = 0, const std::string& host = "", const std::string& file = "") const;
};

void add_levels(CLI::App& command, Voice& voice);      // --quiet and --verbose
CLI::Option* add_json(CLI::App& command, bool& json);  // --json

void print_json(const nlohmann::ordered_json& report);        // indented: reports
void print_json_line(const nlohmann::ordered_json& summary);  // one line: what a command that writes has done

}  // namespace convoy::cli

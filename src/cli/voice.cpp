#include "cli/voice.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

// Paths may hold bytes that are no UTF-8.
void print(const Json& json, int indent) {
  fmt::print("{}\n", json.dump(indent, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

Log::Level Voice::level() const {
  return quiet ? Log::Level::quiet : verbose ? Log::Level::verbose : Log::Level::normal;
}

Log Voice::log(int rank, const std::string& host, const std::string& file) const {
  return {level(), rank, host, file};
}

void add_levels(CLI::App& command, Voice& voice) {
  auto* quiet = command.add_flag("--quiet", voice.quiet, "warnings and the result only");
  command.add_flag("--verbose", voice.verbose, "details too")->excludes(quiet);
}

CLI::Option* add_json(CLI::App& command, bool& json) {
  return command.add_flag("--json", json, "the result as one JSON object");
}

void print_json(const Json& report) { print(report, 2); }
void print_json_line(const Json& summary) { print(summary, -1); }

}  // namespace convoy::cli

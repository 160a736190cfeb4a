// What was mistyped on the command line, said in one sentence with the nearest word that exists; exit code 64.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace convoy::cli {

int usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words);

}  // namespace convoy::cli

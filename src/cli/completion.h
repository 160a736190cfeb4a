// Completion scripts for shells, written from the tree of commands and the list of job keys: whatever the program takes,
// they offer. Loaded by `eval "$(convoy completion bash)"`, or written once to where the shell looks for them.
#pragma once

#include <string>

#include "cli/tree.h"

namespace convoy::cli {

enum class Offer { nothing, words, files, folders, jobs, keys };
Offer offer_for(const Flag& flag);  // as its value

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);

}  // namespace convoy::cli

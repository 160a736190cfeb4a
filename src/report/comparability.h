// May two runs be compared, and what differs between them? Identical: the same experiment hash. The same recipe: only the
// seed differs. The same task: the same network on the same images, as far as both files say; another program's log says
// less than a result.json, and only what both say is held against each other. Anything else is incomparable.
#pragma once

#include <vector>

#include "report/comparison.h"

namespace convoy::report {

Kinship kinship(const Run& a, const Run& b);
// The keys that make it no identical experiment; empty for identical ones.
std::vector<Difference> recipe_differences(const Run& a, const Run& b);
std::vector<Difference> launch_differences(const Run& a, const Run& b);
const char* in_words(Kinship kinship);

// What a key that an older file does not have meant then (Field::absent, as JSON); "" where it has no such meaning.
std::string before_the_key(const std::string& key);

}  // namespace convoy::report

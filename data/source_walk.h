// Finds the images of a source: names, byte ranges and sizes, nothing else. Used by source.cpp alone.
#pragma once

#include <filesystem>

#include "data/source.h"

namespace convoy {

// `flat`: labels come from a file, so names are bare file names; otherwise "CLASS/file". Images unsorted and unlabelled.
Source walk_source(const std::filesystem::path& root, bool flat, int threads);

}  // namespace convoy

// Arena::digest() of weights that lie elsewhere, as a copy of them does: 32 hex digits over names and values.
#pragma once

#include <span>
#include <string>

#include "net/program.h"

namespace convoy {

std::string weights_digest(const Graph& graph, const Layout& layout, std::span<const float> weights);

}  // namespace convoy

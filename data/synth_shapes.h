// The sixteen shapes of the synthetic set as signed distances (negative inside), about one unit in radius, centred.
// Distances need only be near enough to exact for an edge that is smooth over a pixel or two.
#pragma once

#include <string_view>

namespace convoy {

constexpr int synth_shapes = 16;

std::string_view shape_word(int shape);
double shape_distance(int shape, double x, double y);

}  // namespace convoy

// `convoy compare --html FILE`: a Comparison as one page that needs nothing else: no network, no script, styles and charts
// inside. Verdict first, then tables, then charts; light and dark, narrow, wide and on paper. Whatever comes out of files is
// escaped (base/markup.h), and the page's own policy forbids it to load anything, should that fail.
#pragma once

#include <string>

#include "report/comparison.h"

namespace convoy::report {

std::string html_page(const Comparison& comparison);

}  // namespace convoy::report

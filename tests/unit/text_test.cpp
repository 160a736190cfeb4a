// Words near one another, text for markup, axes with round ticks.
#include "base/text.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "base/markup.h"
#include "base/scale.h"

namespace convoy {

TEST_CASE("a slip of the fingers is found, another word is not") {
  const std::vector<std::string> commands{"train", "pack", "plan", "evaluate", "man"};
  CHECK(nearest("trian", commands) == "train");  // exchanged
  CHECK(nearest("tain", commands) == "train");   // left out
  CHECK(nearest("paack", commands) == "pack");   // doubled
  CHECK(nearest("plam", commands) == "plan");    // another one
  CHECK(nearest("eavlaute", commands) == "evaluate");
  CHECK(nearest("mna", commands) == "man");
  CHECK(nearest("xyz", commands).empty());
  CHECK(nearest("ran", {"man"}) == "man");
  CHECK(nearest("rap", {"man"}).empty());  // two of three letters
  CHECK(nearest("", commands).empty());
  CHECK(nearest("anything", {}).empty());
  CHECK(nearest("ab", {"ba"}) == "ba");  // 1 by Damerau, 2 by Levenshtein: too far for two letters
}

TEST_CASE("text for markup has no markup, and is UTF-8") {
  CHECK(escape_markup("<script>&\"'") == "&lt;script&gt;&amp;&quot;&#39;");
  CHECK(escape_markup("größer, 大, 🚚") == "größer, 大, 🚚");
  CHECK(escape_markup("a\tb\nc") == "a\tb\nc");
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(escape_markup(std::string("a\0b", 3)) == "a" + mark + "b");
  CHECK(escape_markup("\x1b[31m") == mark + "[31m");
  CHECK(escape_markup("\xC3") == mark);                        // cut off
  CHECK(escape_markup("\xC0\xBC") == mark + mark);             // an overlong <
  CHECK(escape_markup("\xE0\x80\xBC") == mark + mark + mark);  // and a longer one
  CHECK(escape_markup("\xED\xA0\x80") == mark + mark + mark);  // half a pair
  CHECK(escape_markup("\xF5\x80\x80\x80") == mark + mark + mark + mark);
  CHECK(escape_markup("\xE2\x80\xAE"
                      "gpj.exe") == mark + "gpj.exe");  // right to left
  CHECK(escape_markup("\xEF\xBF\xBF") == mark);         // no character
  CHECK(escape_markup("\xFFok") == mark + "ok");
}

TEST_CASE("axes reach over their values, with few and round ticks") {
  for (const auto& [low, high] : {std::pair{0.0, 1.0},
                                  {0.0, 4.6},
                                  {2.01, 2.9},
                                  {-3.0, 7.0},
                                  {0.0, 1281167.0},
                                  {1e-9, 3e-9},
                                  {1e30, 9e30},
                                  {0.0, 1e-300}}) {
    const Scale scale = round_scale(low, high);
    INFO(low << " to " << high);
    CHECK(scale.low <= low + 1e-8 * scale.step);
    CHECK(scale.high >= high - 1e-8 * scale.step);
    const double digit = scale.step / std::pow(10.0, std::floor(std::log10(scale.step) + 1e-9));
    CHECK((std::abs(digit - 1) < 1e-6 || std::abs(digit - 2) < 1e-6 || std::abs(digit - 5) < 1e-6));
    CHECK(scale.ticks().size() >= 3);
    CHECK(scale.ticks().size() <= 8);
  }
  CHECK(round_scale(0, 1).ticks().size() == 6);
  CHECK(round_scale(0.3, 0.3).share(0.3) == Approx(0.5).margin(0.3));  // one value: not on the edge
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinite = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] : {std::pair{nan, 1.0}, {0.0, infinite}, {2.0, 1.0}, {0.0, 0.0}}) {
    CHECK(round_scale(low, high).low == 0);
    CHECK(round_scale(low, high).high == 1);
  }
}

}  // namespace convoy

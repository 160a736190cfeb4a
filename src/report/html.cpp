#include "report/html.h"

#include <fmt/format.h>

#include "base/markup.h"
#include "report/html_parts.h"

namespace convoy::report {
namespace {

std::string notes(const Comparison& comparison) {
  std::string items;
  for (const std::string& note : comparison.notes) items += "<li>" + escape_markup(note) + "</li>\n";
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

std::string title_of(const Comparison& comparison) {
  std::string names;
  for (const Side& side : comparison.sides) names += (names.empty() ? "" : " / ") + side.name;
  return escape_markup("convoy compare: " + names);
}

}  // namespace

std::string html_page(const Comparison& comparison) {
  const std::string figures = loss_figure(comparison) + accuracy_figure(comparison) +
                              step_time_figure(comparison) + step_parts_figure(comparison);
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>{}</style>\n</head>\n"
             "<body>\n<main>\n",
             title_of(comparison), page_style) +
         verdict_banner(comparison) + section("What was compared", sides_table(comparison)) +
         section("Quantities", quantities_table(comparison)) + section("Rules", rules_table(comparison)) +
         section("Bit by bit", numerics_list(comparison)) +
         section("Charts", figures.empty() ? "" : "<div class=\"figures\">\n" + figures + "</div>\n") +
         section("Curves", curves_table(comparison)) +
         section("MLPerf's reference convergence points", references_table(comparison)) +
         section("What differs", differences_tables(comparison)) + section("Notes", notes(comparison)) +
         "<footer>Written by <code>convoy compare --html</code>.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace convoy::report

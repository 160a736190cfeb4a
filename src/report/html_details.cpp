#include <fmt/format.h>

#include "base/markup.h"
#include "base/text.h"
#include "report/html_parts.h"

namespace convoy::report {
namespace {

std::string difference_table(const std::string& caption, const std::vector<Difference>& differences,
                             const std::string& base, const std::string& side) {
  if (differences.empty()) return "";
  Table table{caption, {"Key", base, side}, {}};
  for (const Difference& d : differences)
    table.rows.push_back({"<code>" + escape_markup(d.key) + "</code>",
                          "<code>" + escape_markup(d.a) + "</code>",
                          "<code>" + escape_markup(d.b) + "</code>"});
  return table.html();
}

}  // namespace

std::string rules_table(const Comparison& comparison) {
  if (comparison.rules.empty()) return "";
  Table table{"--fail-if", {"Verdict", "Rule", "Found"}, {}};
  for (const RuleOutcome& rule : comparison.rules)
    table.rows.push_back({"", "<code>" + escape_markup(rule.rule) + "</code>", escape_markup(rule.words)});
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const RuleOutcome& rule = comparison.rules[i];
    table.rows[i][0] = !rule.judged ? "? not judged" : rule.broken ? "▼ broken" : "= kept";
  }
  return table.html();
}

std::string references_table(const Comparison& comparison) {
  if (comparison.references.empty()) return "";
  Table table{"Epochs to the target against the reference runs'",
              {"Verdict", "Side", "Images a step", "Epochs", "Found"},
              {}};
  for (const ReferenceOutcome& r : comparison.references)
    table.rows.push_back({!r.applies ? "does not apply"
                          : r.passes ? "= passes"
                                     : "▼ fails",
                          swatch(r.side, comparison.sides.at(r.side).label), std::to_string(r.minibatch),
                          r.applies ? fmt::format("{:.4g}", r.epochs) : "", escape_markup(r.words)});
  return table.html();
}

std::string numerics_list(const Comparison& comparison) {
  std::string items;
  for (size_t i = 1; i < comparison.pairings.size(); ++i)
    if (const std::string& words = comparison.pairings[i].numerics.words; !words.empty())
      items += "<li>" + swatch(i, comparison.sides[i].label) + ": " + escape_markup(words) + "</li>\n";
  return items.empty() ? "" : "<ul>\n" + items + "</ul>\n";
}

std::string curves_table(const Comparison& comparison) {
  Table table{"How far curves lie apart over the images that both have seen",
              {"Curve", "Side", "Mean difference", "Mean distance", "Largest", "at images", "from", "to"},
              {}};
  for (size_t i = 1; i < comparison.pairings.size(); ++i)
    for (const CurveDifference& d : comparison.pairings[i].curves)
      table.rows.push_back({escape_markup(d.name), swatch(i, comparison.sides[i].label),
                            fmt::format("{:+.4g}", d.mean), fmt::format("{:.4g}", d.area),
                            fmt::format("{:.4g}", d.max), human_count(d.at_images),
                            human_count(d.from_images), human_count(d.to_images)});
  return table.rows.empty() ? "" : table.html();
}

std::string differences_tables(const Comparison& comparison) {
  std::string html;
  for (size_t i = 1; i < comparison.pairings.size(); ++i) {
    const std::string base = swatch(0, comparison.sides[0].label),
                      side = swatch(i, comparison.sides[i].label);
    const std::string& name = comparison.sides[i].label;
    html += difference_table("What is computed, in " + name, comparison.pairings[i].differing, base, side);
    html +=
        difference_table("Where and with what it ran, in " + name, comparison.pairings[i].launch, base, side);
  }
  return html;
}

}  // namespace convoy::report

#include <fmt/format.h>

#include <algorithm>

#include "base/markup.h"
#include "report/chart_frame.h"
#include "report/comparability.h"
#include "report/html_parts.h"
#include "report/print.h"

namespace convoy::report {
namespace {

std::string soft(const std::string& text) {
  return text.empty() ? "" : "<small>" + escape_markup(text) + "</small>";
}

std::string value_text(const Row& row, double value) {
  return row.share ? fmt::format("{:.2f} %", 100 * value) : shown(value);
}

std::string cell_html(const Row& row, const Cell& cell) {
  if (!cell.value) return "not recorded";
  std::string html = fmt::format("<span class=\"num\">{}</span>", value_text(row, *cell.value));
  if (cell.sd) html += soft(fmt::format("± {} over {} runs", value_text(row, *cell.sd), cell.runs.size()));
  if (cell.interval)
    html += soft(fmt::format("95 %: {} to {}", value_text(row, cell.interval->low),
                             value_text(row, cell.interval->high)));
  if (cell.counts) html += soft(fmt::format("{} of {}", cell.counts->correct, cell.counts->images));
  return html;
}

std::string amount_text(const Row& row, double amount) {
  return row.share ? fmt::format("{:+.2f}", 100 * amount) : fmt::format("{:+.1f}", 100 * amount);
}

std::string change_html(const Row& row, const Change& change) {
  if (!change.amount) return "";
  const char* unit = row.share ? " points" : " %";
  std::string html = fmt::format("<span class=\"num\">{}{}</span>", amount_text(row, *change.amount), unit);
  if (change.interval)
    html += soft(fmt::format("95 %: {} to {}{}", amount_text(row, change.interval->low),
                             amount_text(row, change.interval->high), unit));
  if (change.test) html += soft(fmt::format("{}: p = {:.2g}", change.test->name, change.test->p));
  return html;
}

std::string verdict_html(const Change& change) {
  const std::string words = escape_markup(change.words);
  switch (change.verdict) {
    case Verdict::better:
      return "<span class=\"good\">▲ " + words + "</span>";
    case Verdict::worse:
      return "<span class=\"bad\">▼ " + words + "</span>";
    case Verdict::undecided:
      return "<span class=\"doubt\">? " + words + "</span>";
    case Verdict::same:
      return "= " + words;
    case Verdict::none:
      break;
  }
  return words;
}

std::string run_html(const Run& run) {
  std::string html = "<code>" + escape_markup(run.path) + "</code>";
  if (!run.status.empty() && run.status != "completed")
    html += " <span class=\"bad\">" + escape_markup(run.status) + "</span>";
  return html + soft(run.format == "convoy" ? "" : "from " + run.format) + soft(launch_words(run));
}

}  // namespace

std::string Table::html() const {
  std::string text = fmt::format(
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\n<caption>{0}</caption>\n<thead><tr>",
      escape_markup(caption));
  for (const std::string& name : head) text += "<th scope=\"col\">" + name + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    text += "<tr><th scope=\"row\">" + row.front() + "</th>";
    for (size_t i = 1; i < row.size(); ++i) text += "<td>" + row[i] + "</td>";
    text += "</tr>\n";
  }
  return text + "</tbody>\n</table></div>\n";
}

std::string section(const std::string& title, const std::string& content) {
  return content.empty()
             ? ""
             : fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escape_markup(title), content);
}

std::string swatch(size_t side, const std::string& label) {
  return fmt::format("<span class=\"side {}\">{}</span>", style_of(side), escape_markup(label));
}

std::string verdict_banner(const Comparison& comparison) {
  const bool doubtful = std::ranges::any_of(comparison.rows, [](const Row& row) {
    return std::ranges::any_of(row.changes, [](const Change& c) { return c.verdict == Verdict::undecided; });
  });
  const char* style = comparison.exit_code == 1               ? "bad"
                      : comparison.exit_code != 0 || doubtful ? "doubt"
                                                              : "good";
  std::string names;
  for (size_t i = 1; i < comparison.sides.size(); ++i)
    names += (i == 1 ? "" : ", ") + escape_markup(comparison.sides[i].name);
  names += " against " + escape_markup(comparison.sides.front().name);
  return fmt::format(
      "<header class=\"banner {}\">\n<h1>{}</h1>\n<p><strong>{}</strong></p>\n<p>Exit code {}</p>\n</header>\n",
      style, names, escape_markup(comparison.verdict), comparison.exit_code);
}

std::string sides_table(const Comparison& comparison) {
  Table table{"Each side, and how it is related to the first, the baseline",
              {"Side", "Name", "Relation", "Files"},
              {}};
  for (size_t i = 0; i < comparison.sides.size(); ++i) {
    const Side& side = comparison.sides[i];
    std::string files;
    for (const size_t run : side.runs) files += "<div>" + run_html(comparison.runs[run]) + "</div>";
    const bool related = i > 0 && i < comparison.pairings.size();
    table.rows.push_back({swatch(i, side.label), escape_markup(side.name),
                          related ? in_words(comparison.pairings[i].kinship) : "baseline", files});
  }
  return table.html();
}

std::string quantities_table(const Comparison& comparison) {
  if (comparison.rows.empty()) return "";
  Table table{
      "Differences are from the first side; intervals hold the true value with 95 % confidence", {}, {}};
  for (size_t side = 1; side < comparison.sides.size(); ++side)
    table.head.push_back("Verdict on " + swatch(side, comparison.sides[side].label));
  table.head.push_back("Quantity");
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    table.head.push_back(swatch(side, comparison.sides[side].label));
    if (side > 0) table.head.push_back("Difference");
  }
  std::vector<const Row*> rows;
  for (const Row& row : comparison.rows) rows.push_back(&row);
  std::ranges::stable_sort(rows, {}, [](const Row* row) { return !row->decides; });
  for (const Row* row : rows) {
    std::vector<std::string> cells;
    for (size_t side = 1; side < row->changes.size(); ++side)
      cells.push_back(verdict_html(row->changes[side]));
    cells.push_back(escape_markup(row->title));
    for (size_t side = 0; side < row->cells.size(); ++side) {
      cells.push_back(cell_html(*row, row->cells[side]));
      if (side > 0) cells.push_back(change_html(*row, row->changes[side]));
    }
    table.rows.push_back(std::move(cells));
  }
  return table.html();
}

}  // namespace convoy::report

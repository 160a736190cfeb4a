#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "report/comparability.h"
#include "report/print.h"

namespace convoy::report {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json of(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

Json of(const std::optional<Test>& test) {
  if (!test) return nullptr;
  return {{"name", test->name},
          {"statistic", test->statistic},
          {"p", test->p},
          {"n_a", test->n_a},
          {"n_b", test->n_b}};
}

Json of(const Cell& cell) {
  Json json{{"value", or_null(cell.value)},    {"sd", or_null(cell.sd)},
            {"interval95", of(cell.interval)}, {"runs", cell.runs},
            {"samples", cell.samples},         {"block", cell.block}};
  json["correct"] = cell.counts ? Json(cell.counts->correct) : Json(nullptr);
  json["images"] = cell.counts ? Json(cell.counts->images) : Json(nullptr);
  return json;
}

Json of(const Change& change) {
  return {{"amount", or_null(change.amount)},
          {"interval95", of(change.interval)},
          {"test", of(change.test)},
          {"verdict", or_null(word(change.verdict))},
          {"words", or_null(change.words)}};
}

Json of(const std::vector<Difference>& differences) {
  Json list = Json::array();
  for (const Difference& difference : differences)
    list.push_back({{"key", difference.key}, {"a", difference.a}, {"b", difference.b}});
  return list;
}

Json of(const Pairing& pairing) {
  Json curves = Json::array();
  for (const CurveDifference& curve : pairing.curves)
    curves.push_back({{"name", curve.name},
                      {"max", curve.max},
                      {"at_images", curve.at_images},
                      {"area", curve.area},
                      {"mean", curve.mean},
                      {"from_images", curve.from_images},
                      {"to_images", curve.to_images},
                      {"points", curve.points}});
  const Numerics& numerics = pairing.numerics;
  return {{"comparability", in_words(pairing.kinship)},
          {"differing", of(pairing.differing)},
          {"launch", of(pairing.launch)},
          {"numerics",
           {{"compared", numerics.compared},
            {"equal", numerics.equal},
            {"same_weights", numerics.same_weights},
            {"equal_through", or_null(numerics.equal_through)},
            {"first_difference", or_null(numerics.first_difference)},
            {"words", numerics.words}}},
          {"curves", curves}};
}

std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

template <class T>
std::string field(const std::optional<T>& number) {
  return number ? fmt::format("{}", *number) : "";
}

}  // namespace

std::string json(const Comparison& comparison) {
  Json sides = Json::array(), rows = Json::array(), pairings = Json::array(), rules = Json::array(),
       references = Json::array();
  for (const Side& side : comparison.sides) {
    Json runs = Json::array();
    for (const size_t index : side.runs) {
      const Run& run = comparison.runs[index];
      runs.push_back({{"path", run.path},
                      {"name", run.name},
                      {"format", run.format},
                      {"status", or_null(run.status)},
                      {"hash", or_null(run.hash)}});
    }
    sides.push_back({{"label", side.label}, {"name", side.name}, {"runs", runs}});
  }
  for (const Pairing& pairing : comparison.pairings) pairings.push_back(of(pairing));
  for (const Row& row : comparison.rows) {
    Json cells = Json::array(), changes = Json::array();
    for (const Cell& cell : row.cells) cells.push_back(of(cell));
    for (const Change& change : row.changes) changes.push_back(of(change));
    rows.push_back({{"name", row.name},
                    {"title", row.title},
                    {"share", row.share},
                    {"decides", row.decides},
                    {"cells", cells},
                    {"changes", changes}});
  }
  for (const RuleOutcome& rule : comparison.rules)
    rules.push_back(
        {{"rule", rule.rule}, {"judged", rule.judged}, {"broken", rule.broken}, {"words", rule.words}});
  for (const ReferenceOutcome& r : comparison.references)
    references.push_back({{"side", comparison.sides[r.side].label},
                          {"applies", r.applies},
                          {"passes", r.passes},
                          {"minibatch", r.minibatch},
                          {"epochs", r.epochs},
                          {"reference_mean", r.reference_mean},
                          {"least_epochs", r.least_epochs},
                          {"words", r.words}});
  const Json whole{{"schema", "convoy.comparison/1"},
                   {"sides", sides},
                   {"pairings", pairings},
                   {"rows", rows},
                   {"rules", rules},
                   {"references", references},
                   {"notes", comparison.notes},
                   {"refused", comparison.refused},
                   {"verdict", comparison.verdict},
                   {"exit_code", comparison.exit_code}};
  return whole.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string csv(const Comparison& comparison) {
  std::string text =
      "quantity,side,name,value,sd,low95,high95,runs,samples,change,change_low95,change_high95,test,p,verdict\r\n";
  for (const Row& row : comparison.rows)
    for (size_t side = 0; side < row.cells.size(); ++side) {
      const Cell& cell = row.cells[side];
      const Change& change = row.changes[side];
      const auto low = [](const std::optional<Interval>& i) { return i ? fmt::format("{}", i->low) : ""; };
      const auto high = [](const std::optional<Interval>& i) { return i ? fmt::format("{}", i->high) : ""; };
      const std::vector<std::string> fields{field(row.name),
                                            comparison.sides[side].label,
                                            field(comparison.sides[side].name),
                                            field(cell.value),
                                            field(cell.sd),
                                            low(cell.interval),
                                            high(cell.interval),
                                            fmt::format("{}", cell.runs.size()),
                                            fmt::format("{}", cell.samples),
                                            field(change.amount),
                                            low(change.interval),
                                            high(change.interval),
                                            field(change.test ? change.test->name : ""),
                                            change.test ? fmt::format("{}", change.test->p) : "",
                                            word(change.verdict)};
      text += fmt::format("{}\r\n", fmt::join(fields, ","));
    }
  return text;
}

}  // namespace convoy::report

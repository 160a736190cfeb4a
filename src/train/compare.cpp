#include "train/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

// A member reached by a path like "/efficiency/images_per_s", if it is there and a number.
std::optional<double> number(const Json& json, const char* path) {
  const Json::json_pointer pointer(path);
  if (!json.contains(pointer) || !json.at(pointer).is_number()) return {};
  return json.at(pointer).get<double>();
}

std::string text_of(const Json& json, const char* path) {
  const Json::json_pointer pointer(path);
  if (!json.contains(pointer) || json.at(pointer).is_null()) return "";
  return json.at(pointer).is_string() ? json.at(pointer).get<std::string>() : json.at(pointer).dump();
}

Json member(const Json& json, const char* path) {
  const Json::json_pointer pointer(path);
  return json.contains(pointer) ? json.at(pointer) : Json(nullptr);
}

bool is_arithmetic(const std::string& section, const std::string& key) {
  if (section == "data") return key != "train" && key != "held_out";
  if (section == "schedule") return key != "allow_large_rate";
  return section != "train" || (key != "evaluate_every" && key != "bucket_mib");
}

void differing_keys(const Json& a, const Json& b, std::vector<std::string>& into) {
  const Json x = member(a, "/experiment/resolved"), y = member(b, "/experiment/resolved");
  std::vector<std::pair<std::string, std::string>> keys;
  for (const Json& side : {x, y})
    for (const auto& [section, table] : side.items())
      for (const auto& [key, value] : table.items())
        if (is_arithmetic(section, key) &&
            std::find(keys.begin(), keys.end(), std::pair(section, key)) == keys.end())
          keys.emplace_back(section, key);
  const auto value = [](const Json& side, const std::string& section, const std::string& key) -> std::string {
    return side.contains(section) && side[section].contains(key) ? side[section][key].dump() : "not read";
  };
  for (const auto& [section, key] : keys)
    if (value(x, section, key) != value(y, section, key))
      into.push_back(
          fmt::format("{}.{}: {} | {}", section, key, value(x, section, key), value(y, section, key)));
  for (const char* set : {"train", "held_out"}) {
    const std::string path = fmt::format("/dataset/{}/fingerprint", set);
    if (text_of(a, path.c_str()) != text_of(b, path.c_str()))
      into.push_back(
          fmt::format("dataset.{}: {} | {}", set, text_of(a, path.c_str()), text_of(b, path.c_str())));
  }
}

Comparability classify(const Json& a, const Json& b) {
  const std::string hash = text_of(a, "/experiment/hash");
  if (!hash.empty() && hash == text_of(b, "/experiment/hash")) return Comparability::identical;
  for (const char* path :
       {"/dataset/train/fingerprint", "/dataset/held_out/fingerprint", "/experiment/resolved/network/model",
        "/experiment/resolved/network/variant", "/experiment/resolved/network/input",
        "/experiment/resolved/network/width", "/experiment/resolved/network/stem"})
    if (text_of(a, path) != text_of(b, path)) return Comparability::incomparable;
  return Comparability::same_task;
}

// What the bits may differ by, between two launches of one experiment.
std::string why(const Json& a, const Json& b) {
  std::vector<std::string> differences;
  const auto values = [](const Json& r, const std::string& key) {
    std::vector<std::string> different;
    for (const Json& rank : member(r, "/launch/per_rank")) {
      const std::string value = text_of(rank, ("/" + key).c_str());
      if (std::find(different.begin(), different.end(), value) == different.end()) different.push_back(value);
    }
    return fmt::format("{}", fmt::join(different, " + "));
  };
  const auto hold = [&](const std::string& key, const std::string& x, const std::string& y) {
    if (x != y) differences.push_back(fmt::format("{}: {} | {}", key, x, y));
  };
  for (const char* key : {"backend", "library", "isa", "threads"}) hold(key, values(a, key), values(b, key));
  for (const char* key : {"road", "ranks"}) {
    const std::string path = fmt::format("/launch/{}", key);
    hold(key, text_of(a, path.c_str()), text_of(b, path.c_str()));
  }
  hold("claim", text_of(a, "/claim"), text_of(b, "/claim"));
  if (differences.empty()) return "; their fingerprints are the same";
  return fmt::format("; their launches differ in {}", fmt::join(differences, ", "));
}

std::string compare_numerics(const Json& a, const Json& b) {
  const Json x = member(a, "/numerics/weights_xxh3_at"), y = member(b, "/numerics/weights_xxh3_at");
  int64_t equal = -1;
  for (const Json& mine : x) {
    for (const Json& other : y) {
      if (other.at("step") != mine.at("step")) continue;
      if (other.at("weights_xxh3") != mine.at("weights_xxh3"))
        return (equal < 0 ? fmt::format("the weights differ at step {}, the first that both recorded",
                                        mine.at("step").get<int64_t>())
                          : fmt::format("bitwise equal through step {}, different at step {}", equal,
                                        mine.at("step").get<int64_t>())) +
               why(a, b);
      equal = mine.at("step");
    }
  }
  return equal < 0 ? "no step at which both recorded the weights"
                   : fmt::format("bitwise equal through step {}", equal);
}

struct Row {
  std::string what, a, b, verdict;
};

std::string shown(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "-";
}

std::string table(const std::vector<Row>& rows) {
  size_t what = 0, a = 0, b = 0;
  for (const Row& row : rows)
    what = std::max(what, row.what.size()), a = std::max(a, row.a.size()), b = std::max(b, row.b.size());
  std::string text;
  for (const Row& row : rows) {
    std::string line =
        fmt::format("{:<{}}  {:>{}}  {:>{}}  {}", row.what, what, row.a, a, row.b, b, row.verdict);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string launch_of(const Json& r) {
  const Json ranks = member(r, "/launch/per_rank");
  const std::string first = ranks.is_array() && !ranks.empty()
                                ? text_of(ranks[0], "/library") + " " + text_of(ranks[0], "/isa")
                                : "";
  return fmt::format("{} ranks {}", text_of(r, "/launch/ranks"), first);
}

std::optional<double> last_of(const Json& r, const char* key) {
  const Json epochs = member(r, "/epochs");
  return epochs.is_array() && !epochs.empty() ? number(epochs.back(), fmt::format("/{}", key).c_str())
                                              : std::nullopt;
}

std::optional<double> best_of(const Json& r, const char* key) {
  std::optional<double> best;
  for (const Json& epoch : member(r, "/epochs"))
    if (const auto value = number(epoch, fmt::format("/{}", key).c_str()))
      best = std::max(best.value_or(*value), *value);
  return best;
}

}  // namespace

Json read_result(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "result.json" : path;
  require(std::filesystem::is_regular_file(file),
          "there is no {}: name a run's folder (runs/...) or its result.json", file.string());
  Json json = Json::parse(read_text(file), nullptr, false);
  require(json.is_object(), "{} is not JSON: give a result.json or the run directory that holds one",
          file.string());
  const std::string schema = text_of(json, "/schema");
  require(schema == "convoy.result/1", "{} has schema \"{}\", and this program reads convoy.result/1",
          file.string(), schema);
  return json;
}

Comparison compare(const Json& a, const Json& b, const CompareOptions& options) {
  Comparison result;
  result.comparability = classify(a, b);
  if (result.comparability != Comparability::identical) differing_keys(a, b, result.differing);
  const bool identical = result.comparability == Comparability::identical;
  const char* names[] = {"identical experiment", "same task, other recipe", "not comparable"};
  result.text = fmt::format("{}\n", names[static_cast<int>(result.comparability)]);
  if (!result.differing.empty()) result.text += fmt::format("  {}\n", fmt::join(result.differing, "\n  "));
  if (result.comparability == Comparability::incomparable && !options.force) {
    result.exit_code = 2;
    return result;
  }
  result.numerics = identical ? compare_numerics(a, b) : "other recipes: the bits are not compared";
  const bool same_bits =
      identical && !text_of(a, "/numerics/final_weights_xxh3").empty() &&
      text_of(a, "/numerics/final_weights_xxh3") == text_of(b, "/numerics/final_weights_xxh3");

  std::vector<Row> rows{{"", "A", "B", ""}};
  rows.push_back({"run", text_of(a, "/run_id"), text_of(b, "/run_id"), ""});
  rows.push_back({"status", text_of(a, "/status"), text_of(b, "/status"), ""});
  rows.push_back({"launch", launch_of(a), launch_of(b), ""});
  bool regression = text_of(a, "/status") == "completed" && text_of(b, "/status") != "completed" &&
                    text_of(b, "/status") != "running";
  const auto speed_a = number(a, "/efficiency/images_per_s"), speed_b = number(b, "/efficiency/images_per_s");
  std::string verdict;
  if (speed_a && speed_b && *speed_a > 0) {
    const double change = *speed_b / *speed_a - 1.0;
    verdict = fmt::format("{:+.1f} % {}", 100 * change,
                          change > options.speed_margin    ? "faster"
                          : change < -options.speed_margin ? "slower"
                                                           : "same");
    regression = regression || change < -options.speed_margin;
  }
  rows.push_back({"images/s (median step)", shown(speed_a, "{:.1f}"), shown(speed_b, "{:.1f}"), verdict});
  for (const auto& [what, key] :
       {std::pair{"training loss, last", "train_loss"}, {"held-out loss, last", "held_out_loss"}})
    rows.push_back({what, shown(last_of(a, key), "{:.5f}"), shown(last_of(b, key), "{:.5f}"), ""});
  const auto top_a = last_of(a, "held_out_top1"), top_b = last_of(b, "held_out_top1");
  verdict.clear();
  if (top_a && top_b) {
    const double change = *top_b - *top_a;
    const bool worse = !same_bits && change < -options.accuracy_margin;
    verdict = fmt::format("{:+.2f} points{}", 100 * change, worse ? " worse" : "");
    regression = regression || worse;
  }
  rows.push_back({"held-out top-1, last", shown(top_a, "{:.4f}"), shown(top_b, "{:.4f}"), verdict});
  rows.push_back({"held-out top-1, best", shown(best_of(a, "held_out_top1"), "{:.4f}"),
                  shown(best_of(b, "held_out_top1"), "{:.4f}"), ""});
  rows.push_back({"correct, last", shown(last_of(a, "correct1"), "{:.0f}"),
                  shown(last_of(b, "correct1"), "{:.0f}"), ""});
  rows.push_back({"weights", text_of(a, "/numerics/final_weights_xxh3"),
                  text_of(b, "/numerics/final_weights_xxh3"), same_bits ? "equal" : ""});
  result.text += table(rows) + "numerics: " + result.numerics + "\n";
  result.exit_code = regression ? 1 : 0;
  return result;
}

}  // namespace convoy

#include "simulate/cluster.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace convoy::simulate {
namespace {

constexpr const char* marks[] = {"read", "derived", "measured", "unverified"};

class Reader {
 public:
  Reader(std::string_view text, std::string file, const std::vector<std::string>& overrides)
      : file_(std::move(file)) {
    try {
      root_ = toml::parse(text);
    } catch (const toml::parse_error& error) {
      fail(Exit::usage, "{}:{}: {}", file_, error.source().begin.line, error.description());
    }
    for (const std::string& one : overrides) override_with(one);
  }

  Cluster read() {
    Cluster cluster;
    known(root_, "", {"name", "description", "nodes", "network", "inside", "rank", "step", "fitted"});
    cluster.name = text_of(root_, "name", "");
    cluster.description = text_of(root_, "description", "");
    cluster.origin = file_;
    const toml::table& nodes = table_of("nodes");
    known(nodes, "nodes.", {"count", "ranks", "per_switch", "uplinks", "source"});
    text_of(nodes, "source", "nodes.");
    cluster.nodes = count_of(nodes, "nodes.", "count", 1, 1 << 20, true);
    cluster.ranks_per_node = count_of(nodes, "nodes.", "ranks", 1, 1 << 10, true);
    cluster.nodes_per_switch = count_of(nodes, "nodes.", "per_switch", 1, 1 << 16, false);
    cluster.uplinks = count_of(nodes, "nodes.", "uplinks", 1, 1 << 16, false);
    require((cluster.uplinks > 0) == (cluster.nodes_per_switch > 0), Exit::usage,
            "{}: nodes.per_switch and nodes.uplinks describe a fat tree together: give both, or neither",
            file_);
    read_numbers(cluster);
    read_steps(cluster);
    read_fitted(cluster);
    return cluster;
  }

 private:
  void override_with(const std::string& text) {
    const size_t dot = text.find('.'), equals = text.find('=');
    require(dot != std::string::npos && equals != std::string::npos && dot > 0 && dot + 1 < equals,
            Exit::usage, "--with {}: write it as section.key=value, for instance --with nodes.uplinks=4",
            text);
    toml::table parsed;
    try {
      parsed = toml::parse("value = " + text.substr(equals + 1));
    } catch (const toml::parse_error&) {
      fail(Exit::usage, "--with {}: the value is no number", text);
    }
    const std::string section = text.substr(0, dot), key = text.substr(dot + 1, equals - dot - 1);
    if (!root_.contains(section)) root_.insert(section, toml::table{});
    toml::table* into = root_.get(section)->as_table();
    require(into != nullptr, Exit::usage, "--with {}: {} is not a table of {}", text, section, file_);
    const auto number = parsed.get("value")->value<double>();
    require(number.has_value(), Exit::usage, "--with {}: the value is no number", text);
    if (section == "nodes") {
      require(parsed.get("value")->is_integer(), Exit::usage, "--with {}: a count is a whole number", text);
      into->insert_or_assign(key, *parsed.get("value")->value<int64_t>());
      return;
    }
    into->insert_or_assign(
        key, toml::table{{"value", *number}, {"mark", "unverified"}, {"source", "--with " + text}});
    overridden_.insert(section + "." + key);
  }

  std::string at(const toml::node& node) const {
    const auto line = node.source().begin.line;
    return line == 0 ? file_ : fmt::format("{}:{}", file_, line);
  }

  void known(const toml::table& table, const std::string& section,
             const std::vector<std::string>& names) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::ranges::find(names, name) != names.end()) continue;
      const std::string meant = nearest(name, names);
      fail(Exit::usage, "{}: unknown key {}{}{}", at(node), section, name,
           meant.empty() ? "" : fmt::format("; did you mean {}{}?", section, meant));
    }
  }

  const toml::table& table_of(const char* name) const {
    static const toml::table none;
    const toml::node* node = root_.get(name);
    if (node == nullptr) return none;
    require(node->is_table(), Exit::usage, "{}: {} is a table: write [{}]", at(*node), name, name);
    return *node->as_table();
  }

  std::string text_of(const toml::table& table, const char* key, const std::string& section) const {
    const toml::node* node = table.get(key);
    require(node != nullptr && node->is_string(), Exit::usage, "{}: {}{} is missing, or no text in quotes",
            node == nullptr ? file_ : at(*node), section, key);
    return *node->value<std::string>();
  }

  int count_of(const toml::table& table, const std::string& section, const char* key, int low, int high,
               bool needed) const {
    const toml::node* node = table.get(key);
    if (node == nullptr && !needed) return 0;
    require(node != nullptr && node->is_integer(), Exit::usage, "{}: {}{} is missing, or no whole number",
            node == nullptr ? file_ : at(*node), section, key);
    const int64_t value = *node->value<int64_t>();
    require(value >= low && value <= high, Exit::usage, "{}: {}{} = {} is not between {} and {}", at(*node),
            section, key, value, low, high);
    return static_cast<int>(value);
  }

  // { value = 6.25e9, mark = "read", source = "..." }
  Number number_of(const toml::node& node, const std::string& name, double low, double high) const {
    require(node.is_table(), Exit::usage,
            "{}: {} stands without its source: write {{ value = ..., mark = \"read\", source = \"...\" }}",
            at(node), name);
    const toml::table& table = *node.as_table();
    known(table, name + ".", {"value", "mark", "source"});
    const toml::node* value = table.get("value");
    require(value != nullptr && value->is_number(), Exit::usage, "{}: {}.value is missing, or no number",
            at(node), name);
    const Number number{*value->value<double>(), text_of(table, "mark", name + "."),
                        text_of(table, "source", name + ".")};
    require(std::isfinite(number.value) && number.value >= low && number.value <= high, Exit::usage,
            "{}: {} = {:g} is not between {:g} and {:g} (SI units: bytes per second, seconds)", at(node),
            name, number.value, low, high);
    require(std::ranges::find(marks, number.mark) != std::end(marks), Exit::usage,
            "{}: {}.mark is read, derived, measured or unverified, not \"{}\"", at(node), name, number.mark);
    require(!number.source.empty(), Exit::usage, "{}: {}.source is empty: say where the number is from",
            at(node), name);
    return number;
  }

  void read_numbers(Cluster& cluster) const {
    std::map<std::string, std::vector<std::string>> names;  // of the keys, by section
    for (const NumberKey& key : number_keys()) {
      const std::string name = key.name;
      names[name.substr(0, name.find('.'))].push_back(name.substr(name.find('.') + 1));
    }
    for (const auto& [section, keys] : names) known(table_of(section.c_str()), section + ".", keys);
    for (const NumberKey& key : number_keys()) {
      const std::string name = key.name, section = name.substr(0, name.find('.'));
      const toml::node* node = table_of(section.c_str()).get(name.substr(section.size() + 1));
      require(node != nullptr || key.calibrated_only, Exit::usage, "{}: {} is missing: {}", file_, name,
              key.meaning);
      cluster.numbers[name] =
          node == nullptr ? Number{0, "derived", "not given"} : number_of(*node, name, key.low, key.high);
    }
  }

  template <class F>
  void each(const char* name, F f) const {
    const toml::node* node = root_.get(name);
    if (node == nullptr) return;
    require(node->is_array_of_tables(), Exit::usage, "{}: write [[{}]]", at(*node), name);
    for (const toml::node& one : *node->as_array()) f(*one.as_table());
  }

  void read_steps(Cluster& cluster) const {
    each("step", [&](const toml::table& table) {
      known(table, "step.", {"network", "images", "ranks", "seconds", "backward", "ready"});
      StepTime step{.network = text_of(table, "network", "step."),
                    .images = count_of(table, "step.", "images", 1, 1 << 20, true),
                    .seconds = {}};
      if (table.contains("ranks")) step.ranks = count_of(table, "step.", "ranks", 1, 1 << 20, true);
      require(table.contains("seconds"), Exit::usage, "{}: step.seconds is missing", at(table));
      step.seconds = number_of(*table.get("seconds"), "step.seconds", 1e-9, 1e6);
      if (const toml::node* backward = table.get("backward"))
        step.backward = number_of(*backward, "step.backward", 1e-9, step.seconds.value).value;
      if (const toml::node* ready = table.get("ready")) step.ready = shares_of(*ready);
      cluster.steps.push_back(std::move(step));
    });
  }

  std::vector<double> shares_of(const toml::node& node) const {
    require(node.is_array(), Exit::usage, "{}: step.ready is a list of shares of the step, one a bucket",
            at(node));
    std::vector<double> shares;
    for (const toml::node& one : *node.as_array()) {
      shares.push_back(one.value<double>().value_or(-1));
      require(shares.back() >= 0 && shares.back() <= 1, Exit::usage,
              "{}: step.ready has a share that is not from 0 to 1", at(one));
    }
    return shares;
  }

  void read_fitted(Cluster& cluster) const {
    each("fitted", [&](const toml::table& table) {
      known(table, "fitted.", {"key", "value", "to"});
      const std::string key = text_of(table, "key", "fitted.");
      const auto found =
          std::ranges::find_if(number_keys(), [&](const NumberKey& k) { return key == k.name; });
      require(found != number_keys().end(), Exit::usage, "{}: fitted.key = \"{}\" is no number of a cluster",
              at(table), key);
      const toml::node* value = table.get("value");
      require(value != nullptr && value->is_number(), Exit::usage,
              "{}: fitted.value is missing, or no number", at(table));
      const double number = *value->value<double>();
      require(number >= found->low && number <= found->high, Exit::usage,
              "{}: fitted {} = {:g} is not between {:g} and {:g}", at(table), key, number, found->low,
              found->high);
      if (overridden_.contains(key)) return;
      require(cluster.fitted.emplace(key, Number{number, "fitted", text_of(table, "to", "fitted.")}).second,
              Exit::usage, "{}: {} is fitted twice", at(table), key);
      require(cluster.fitted.size() <= 2, Exit::usage,
              "{}: more than two fitted values: with three anything can be forecast", at(table));
    });
  }

  std::string file_;
  toml::table root_;
  std::set<std::string> overridden_;  // by --with, also over a fit
};

}  // namespace

const std::vector<NumberKey>& number_keys() {
  static const std::vector<NumberKey> keys{
      {"network.bandwidth", "bytes per second of a node's connection, one direction", 1, 1e14, false},
      {"network.latency", "seconds from node to node", 0, 1, false},
      {"inside.bandwidth", "bytes per second between two ranks of a node, one direction", 1, 1e14, false},
      {"inside.latency", "seconds between two ranks of a node", 0, 1, false},
      {"rank.memory_bandwidth", "bytes per second that all of a rank's cores read and write: the update", 1,
       1e14, false},
      {"rank.sum_bandwidth", "bytes per second that adding gradients reads and writes", 0, 1e14, true},
      {"rank.message", "seconds of a rank's own work for each message", 0, 1, true},
      {"rank.loader", "images per second that a rank's loader prepares, by the cores that compute", 0, 1e9,
       true},
      {"rank.spread", "sigma of the logarithm of a rank's step time", 0, 1, true}};
  return keys;
}

double Cluster::number(std::string_view key, Basis basis) const {
  const std::string text(key);
  if (basis == Basis::specification) {
    const auto found = std::ranges::find_if(number_keys(), [&](const NumberKey& k) { return key == k.name; });
    ensure(found != number_keys().end());
    return found->calibrated_only ? 0.0 : numbers.at(text).value;
  }
  const auto found = fitted.find(text);
  return found != fitted.end() ? found->second.value : numbers.at(text).value;
}

Cluster parse_cluster_text(std::string_view text, const std::string& file_name,
                           const std::vector<std::string>& overrides) {
  return Reader(text, file_name, overrides).read();
}

double Cluster::sum_bandwidth(Basis basis) const {
  const double given = number("rank.sum_bandwidth", basis);
  return given > 0 ? given : number("rank.memory_bandwidth", basis);
}

Basis basis_of(const std::string& name) {
  return name == "specification" ? Basis::specification : Basis::calibration;
}

Cluster parse_cluster(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  require(std::filesystem::exists(file), Exit::usage,
          "there is no cluster file {}: jobs/launch/clusters has some, and `convoy calibrate` writes one",
          file.string());
  return parse_cluster_text(read_text(file), file.string(), overrides);
}

}  // namespace convoy::simulate

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "train/experiment_fields.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
constexpr const char* flag = "--set";
constexpr const char* heading[] = {"name", "description", "source", "published"};
constexpr std::pair<const char*, const char*> alternatives[] = {
    {"train.steps", "train.epochs"},
    {"train.epochs", "train.steps"},
    {"schedule.warmup_steps", "schedule.warmup_epochs"},
    {"schedule.warmup_epochs", "schedule.warmup_steps"}};

class Parser {
 public:
  // Resolved: the file names every key of the program that wrote it which its choices read.
  Parser(std::string_view text, std::string file, fs::path folder, bool resolved)
      : file_(std::move(file)), folder_(std::move(folder)), resolved_(resolved) {
    try {
      table_ = toml::parse(text);
    } catch (const toml::parse_error& error) {
      fail(Exit::usage, "{}:{}: {}", file_, error.source().begin.line, error.description());
    }
  }

  void override_with(const std::string& text) {
    const size_t equals = text.find('=');
    require(equals != std::string::npos && equals > 0, Exit::usage,
            "{} {}: write it as section.key=value, for instance {} train.epochs=3", flag, text, flag);
    const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
    const size_t dot = name.find('.');
    const std::string section = dot == std::string::npos ? "" : name.substr(0, dot);
    const std::string key = dot == std::string::npos ? name : name.substr(dot + 1);
    toml::table parsed;
    try {
      parsed = toml::parse("value = " + value);
    } catch (const toml::parse_error&) {
      parsed.insert_or_assign("value", value);  // a bare word is a string
    }
    if (section.empty()) {
      table_.insert_or_assign(key, *parsed.get("value"));
    } else {
      if (!table_.contains(section)) table_.insert(section, toml::table{});
      toml::table* into = table_.get(section)->as_table();
      require(into != nullptr, Exit::usage, "{} {}: {} is not a table in {}", flag, text, section, file_);
      into->insert_or_assign(key, *parsed.get("value"));
      for (const auto& [one, other] : alternatives)  // the flag's word is the last: the file's other one goes
        if (name == one) into->erase(std::string_view(other).substr(section.size() + 1));
    }
    from_flag_.insert(name);
  }

  Experiment parse() {
    Experiment e;
    read_heading(e);
    visit_fields(e, [&](const Field& field) {
      if (field.selects) assign(field, e);
    });
    defaults_of_choices(e);
    visit_fields(e, [&](const Field& field) {
      sections_.insert(field.section);
      known_.insert(field.name());
      assign(field, e);
    });
    refuse_unknown();
    e.data.input = e.network.input;
    const std::string problem = misfit(e);
    require(problem.empty(), Exit::usage, "{}: {}", file_, problem);
    return e;
  }

 private:
  std::string where(const toml::node& node, const std::string& name) const {
    if (from_flag_.contains(name) || node.source().begin.line == 0)
      return flag;  // 0: a table that the flag has made
    return fmt::format("{}:{}", file_, node.source().begin.line);
  }

  void read_heading(Experiment& e) {
    for (auto [key, into] :
         {std::pair{"name", &e.name}, {"description", &e.description}, {"source", &e.source}}) {
      const toml::node* node = table_.get(key);
      if (node == nullptr) continue;
      require(node->is_string(), Exit::usage, "{}: {} must be a string", where(*node, key), key);
      *into = node->as_string()->get();
    }
    const toml::node* published = table_.get("published");
    if (published == nullptr) return;
    require(published->is_table(), Exit::usage, "{}: published must be a table",
            where(*published, "published"));
    std::ostringstream as_toml, as_json;
    const toml::table wrapped{{"published", *published->as_table()}};
    as_toml << toml::toml_formatter(wrapped);
    as_json << toml::json_formatter(*published->as_table());
    e.published_toml = as_toml.str();
    e.published_json = as_json.str();
  }

  void assign(const Field& field, Experiment& e) {
    const toml::table* section = table_[field.section].as_table();
    const toml::node* node = section == nullptr ? nullptr : section->get(field.key);
    if (node == nullptr) {
      if (resolved_ && field.unread.empty() && !field.absent.empty()) assign_absent(field, e);
      return;
    }
    const std::string at = where(*node, field.name());
    require(field.unread.empty(), Exit::usage, "{}: {} would have no effect: only {} reads it; take it out",
            at, field.name(), field.unread);
    std::visit([&](auto* into) { read(*node, *into, field, at); }, field.slot);
    e.origins[field.name()] = at;
  }

  // The file is older than the key.
  void assign_absent(const Field& field, Experiment& e) const {
    const toml::table parsed = toml::parse("value = " + field.absent);
    std::visit([&](auto* into) { read(*parsed.get("value"), *into, field, file_); }, field.slot);
    e.origins[field.name()] = file_ + ", older than the key";
  }

  static std::string shown(const toml::node& node) {
    if (node.is_string()) return toml_string(node.as_string()->get());
    std::ostringstream text;
    node.visit([&](const auto& value) { text << value; });
    return text.str();
  }

  [[noreturn]] static void wrong_type(const toml::node& node, const Field& field, const std::string& at,
                                      const char* wanted) {
    fail(Exit::usage, "{}: {} = {} must be {}", at, field.name(), shown(node), wanted);
  }

  static void check_range(double value, const Field& field, const std::string& at) {
    require(field.range.holds(value), Exit::usage, "{}: {} = {} must be {}", at, field.name(), value,
            field.range.text());
  }

  static double number(const toml::node& node, const Field& field, const std::string& at) {
    if (!node.is_number()) wrong_type(node, field, at, "a number");
    const double value = *node.value<double>();
    require(value - value == 0.0, Exit::usage, "{}: {} must be a finite number", at, field.name());
    check_range(value, field, at);
    return value;
  }

  template <class T>
  void read(const toml::node& node, T& into, const Field& field, const std::string& at) const {
    if constexpr (std::is_same_v<T, std::string>) {
      if (!node.is_string()) wrong_type(node, field, at, "a string");
      into = node.as_string()->get();
      check_choice(into, field, at);
    } else if constexpr (std::is_same_v<T, fs::path>) {
      if (!node.is_string()) wrong_type(node, field, at, "a path in quotes");
      into = node.as_string()->get();
      // Absolute, so that the resolved form means the same wherever it is read.
      if (!into.empty()) into = fs::absolute(at == flag ? into : folder_ / into).lexically_normal();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!node.is_boolean()) wrong_type(node, field, at, "true or false");
      into = node.as_boolean()->get();
    } else if constexpr (std::is_integral_v<T>) {
      if (!node.is_integer()) wrong_type(node, field, at, "a whole number");
      const int64_t value = node.as_integer()->get();
      check_range(static_cast<double>(value), field, at);
      require(std::in_range<T>(value), Exit::usage, "{}: {} = {} is too large", at, field.name(), value);
      into = static_cast<T>(value);
    } else if constexpr (std::is_same_v<T, double>) {
      into = number(node, field, at);
    } else {
      const toml::array* list = node.as_array();
      if (list == nullptr) wrong_type(node, field, at, "a list of numbers");
      std::vector<double> values;
      for (const toml::node& item : *list) values.push_back(number(item, field, at));
      if constexpr (std::is_same_v<T, std::vector<double>>) {
        into = values;
      } else {
        require(values.size() == into.size(), Exit::usage, "{}: {} must have {} numbers, one a colour", at,
                field.name(), into.size());
        std::copy(values.begin(), values.end(), into.begin());
      }
    }
  }

  static void check_choice(const std::string& value, const Field& field, const std::string& at) {
    if (field.choices.empty()) return;
    for (const auto& choice : field.choices)
      if (choice == value) return;
    const std::string near = nearest(value, field.choices);
    fail(Exit::usage, "{}: {} = \"{}\" is not known{}; known: {}", at, field.name(), value,
         near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near), fmt::join(field.choices, ", "));
  }

  void refuse_unknown() const {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (std::find(std::begin(heading), std::end(heading), name) != std::end(heading)) continue;
      const toml::table* inner = node.as_table();
      require(inner != nullptr || !sections_.contains(name), Exit::usage, "{}: {} must be a table: [{}]",
              where(node, name), name, name);
      if (inner == nullptr || (inner->empty() && !sections_.contains(name))) unknown_key(node, name);
      for (const auto& [word, value] : *inner)
        if (const std::string full = name + "." + std::string(word.str()); !known_.contains(full))
          unknown_key(value, full);
    }
  }

  // A key of that table, or of the table with the nearest name; else of any table, by its very name or, where no table is
  // named, nearly so. Table and key are held against others each for itself: together, long names are all alike.
  std::string nearest_key(const std::string& name) const {
    const size_t dot = name.find('.');
    const std::string word = dot == std::string::npos ? name : name.substr(dot + 1);
    std::vector<std::string> sections(sections_.begin(), sections_.end()), words, elsewhere;
    if (dot == std::string::npos) {
      sections.insert(sections.end(), std::begin(heading), std::end(heading));
      if (const std::string near = nearest(name, sections); !near.empty()) return near;
    }
    const std::string section = dot == std::string::npos ? "" : nearest(name.substr(0, dot), sections);
    for (const auto& known : known_) {
      const std::string key = known.substr(known.find('.') + 1);
      if (section.empty() || known.starts_with(section + ".")) words.push_back(key);
      if (key == word) elsewhere.push_back(known);
    }
    if (!section.empty())
      if (const std::string near = nearest(word, words); !near.empty()) return section + "." + near;
    if (!elsewhere.empty()) return fmt::format("{}", fmt::join(elsewhere, " or "));
    if (dot != std::string::npos) return "";
    const auto found = std::find(words.begin(), words.end(), nearest(word, words));
    return found == words.end() ? "" : *std::next(known_.begin(), found - words.begin());
  }

  [[noreturn]] void unknown_key(const toml::node& node, const std::string& name) const {
    const std::string near = nearest_key(name);
    require(near.empty(), Exit::usage, "{}: unknown key {}: did you mean {}?", where(node, name), name, near);
    const std::string section = name.substr(0, name.find('.'));
    std::vector<std::string> all;
    for (const auto& known : known_)
      if (!sections_.contains(section) || known.starts_with(section + ".")) all.push_back(known);
    fail(Exit::usage, "{}: unknown key {}; known: {}", where(node, name), name, fmt::join(all, ", "));
  }

  std::string file_;
  fs::path folder_;
  bool resolved_;
  toml::table table_;
  std::set<std::string> from_flag_, known_, sections_;
};

Experiment parse_in(std::string_view text, const std::string& file_name, const fs::path& folder,
                    bool resolved, const std::vector<std::string>& overrides) {
  Parser parser(text, file_name, folder, resolved);
  for (const auto& text_of_override : overrides) parser.override_with(text_of_override);
  return parser.parse();
}

}  // namespace

Experiment parse_experiment(const fs::path& file, const std::vector<std::string>& overrides) {
  require(fs::is_regular_file(file), "there is no job file {}: name one, for instance jobs/demo.toml",
          file.string());
  return parse_in(read_text(file), file.string(), file.parent_path(), file.filename() == resolved_name,
                  overrides);
}

Experiment parse_experiment_text(std::string_view text, const std::string& file_name,
                                 const std::vector<std::string>& overrides) {
  return parse_in(text, file_name, {}, false, overrides);
}

}  // namespace convoy

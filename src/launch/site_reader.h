// One table of a machine file: keys are taken out by name and type; what is left over at the end is unknown. Every error
// names file and line.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace convoy {

class SiteTable {
 public:
  SiteTable(const toml::table& table, std::string section, std::string file);

  void text(const char* key, std::string& into);
  void word(const char* key, std::string& into, const std::vector<std::string>& choices);
  void count(const char* key, int& into, int least);
  void duration(const char* key, std::chrono::seconds& into);
  void list(const char* key, std::vector<std::string>& into);
  void pairs(std::vector<std::pair<std::string, std::string>>& into);  // every key of this table
  void section(const char* key);                                       // a table that is read elsewhere
  void finish() const;                                                 // refuses what nobody asked for

 private:
  const toml::node* take(const char* key);
  std::string where(const toml::node& node) const;
  std::string full(const std::string& key) const;
  std::string line_of(const toml::node& node, const std::string& key,
                      const char* wanted) const;  // one line of text

  const toml::table& table_;
  std::string section_, file_;
  std::vector<std::string> known_;
};

}  // namespace convoy

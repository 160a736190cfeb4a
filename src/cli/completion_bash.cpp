#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion.h"
#include "cli/job_keys.h"

namespace convoy::cli {
namespace {

// Bash splits words at = and :, so they are joined again; what is offered leaves out what stands before the last of them.
// $command and $flag tell what $value is of; $flag is empty for an argument.
constexpr const char* head = R"(# bash completion for convoy, as `convoy completion bash` prints it
_convoy() {
  local words=() word command= flag= value offer= kind= flags i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 1)) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
  done
  local last=$((${#words[@]} - 1))
  value=${words[last]}
  for ((i = 0; i < last; i++)); do
    if [[ ${words[i]} != -* ]]; then command=${words[i]}; break; fi
  done
  if [[ $value == --*=* ]]; then
    flag=${value%%=*} value=${value#*=}
  elif ((last > 0)) && [[ ${words[last - 1]} == -* ]]; then
    flag=${words[last - 1]}
  fi
)";

constexpr const char* tail = R"(  if [[ $kind == keys && $value == *=* ]]; then
    kind=words
    case "${value%%=*}" in
KEYS    esac
    value=${value#*=}
  elif [[ $kind == keys ]]; then
    kind=words offer='NAMES'
    compopt -o nospace 2>/dev/null
  fi
  if [[ -z $flag && ( $value == -* || $kind == none ) ]]; then kind=words offer=$flags; fi
  case "$kind" in
    words) mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$value") ;;
    folders) mapfile -t COMPREPLY < <(compgen -d -- "$value") ;;
    jobs) mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$value"; compgen -d -- "$value") ;;
    files) mapfile -t COMPREPLY < <(compgen -f -- "$value") ;;
    *) COMPREPLY=() ;;
  esac
  case "$kind" in folders | jobs | files) compopt -o filenames 2>/dev/null ;; esac
  local before=${value%"${value##*[:=]}"}
  COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -F _convoy convoy
)";

std::string kind_of(const Flag& flag) {
  switch (offer_for(flag)) {
    case Offer::words:
      return fmt::format("kind=words offer='{}'", fmt::join(flag.choices, " "));
    case Offer::files:
      return "kind=files";
    case Offer::folders:
      return "kind=folders";
    case Offer::jobs:
      return "kind=jobs";
    case Offer::keys:
      return "kind=keys";
    case Offer::nothing:
      break;
  }
  return "kind=none";
}

std::string flag_words(const CLI::App& command) {
  std::vector<std::string> words;
  for (const Flag& flag : flags_of(command)) words.insert(words.end(), flag.names.begin(), flag.names.end());
  return fmt::format("{}", fmt::join(words, " "));
}

std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  return text.replace(text.find(mark), mark.size(), by);
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::string values, arguments, names;
  for (const CLI::App* command : commands_of(app)) {
    const std::string name = name_of(*command);
    for (const Flag& flag : flags_of(*command))
      if (!flag.value.empty()) {
        std::vector<std::string> patterns;
        for (const std::string& spelling : flag.names)
          patterns.push_back(fmt::format("'{} {}'", name, spelling));
        values += fmt::format("    {}) {} ;;\n", fmt::join(patterns, " | "), kind_of(flag));
      }
    // The last argument may be repeated, and completes like those before it.
    const auto positional = arguments_of(*command);
    arguments +=
        fmt::format("        {}) {} flags='{}' ;;\n", name,
                    positional.empty() ? "kind=none" : kind_of(positional.back()), flag_words(*command));
    names += name + " ";
  }
  std::string script = head;
  script += "  case \"$command $flag\" in\n" + values;
  script += "    *)\n      if [[ $value != --*=* ]]; then flag=; fi\n      case \"$command\" in\n";
  script += fmt::format("        '') kind=words offer='{}' flags='{}' ;;\n", names, flag_words(app));
  script += arguments + "      esac\n      ;;\n  esac\n";
  std::string keys, choices;
  for (const JobKey& key : job_keys()) {
    keys += key.name + "= ";
    if (!key.choices.empty())
      choices += fmt::format("      {}) offer='{}' ;;\n", key.name, fmt::join(key.choices, " "));
  }
  return script + replaced(replaced(tail, "KEYS", choices), "NAMES", keys);
}

}  // namespace convoy::cli

// convoy completion bash|zsh: prints a script that completes commands, flags, choices, job keys and files.
#include "cli/completion.h"

#include <fmt/format.h>

#include "cli/commands.h"

namespace convoy::cli {

Offer offer_for(const Flag& flag) {
  const std::string& value = flag.value;
  if (!flag.choices.empty()) return Offer::words;
  if (value.empty() || value == "N" || value == "X") return Offer::nothing;
  if (value == "KEY=VALUE") return Offer::keys;
  if (value == "JOB") return Offer::jobs;
  if (value == "FOLDER" || value == "RUN") return Offer::folders;
  return Offer::files;
}

void add_completion(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("completion", "print what makes a shell complete convoy's words");
  set_examples(*command, {"eval \"$(convoy completion bash)\"              # in ~/.bashrc",
                          "convoy completion zsh > ~/.zfunc/_convoy       # a folder of zsh's fpath"});
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")->required()->check(one_of({"bash", "zsh"}));
  command->callback([&app, &context, shell] {
    context.chosen = [&app, shell] {
      fmt::print("{}", *shell == "bash" ? bash_completion(app) : zsh_completion(app));
      return 0;
    };
  });
}

}  // namespace convoy::cli

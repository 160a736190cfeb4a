#include "launch/legs.h"

#include <fmt/format.h>

#include "launch/shell.h"

namespace convoy {

std::string leg_before(const LaunchRequest& request) {
  const std::string code_file =
      quoted(request.scripts + "/train") + (request.seeds.empty() ? ".code" : "-seed\"$seed\".code");
  return comment(
             "The same run may need several jobs. The first forgets what an earlier submission left; the others go on only "
             "where the one before stopped at a checkpoint (85), or was killed and left no code.") +
         fmt::format(R"sh(ended={}
if [ "${{CONVOY_LEG:-1}}" -eq 1 ]; then
  rm -f "$ended"
elif [ -s "$ended" ] && [ "$(cat "$ended")" -ne 85 ]; then
  exit "$(cat "$ended")"
fi
: >"$ended"
)sh",
                     code_file);
}

std::string leg_after() {
  return R"(echo "$code" >"$ended"
exit "$code"
)";
}

std::string forget_codes(const std::string& scripts) {
  return fmt::format("rm -f {}/train*.code\n", quoted(scripts));
}

}  // namespace convoy

// The scripts of a launch: pack.sh, train.sh and compare.sh, as far as they are asked for, and submit.sh, which submits them
// so that each waits for the one before. Plain bash; pure functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "launch/request.h"
#include "launch/site.h"

namespace convoy {

struct Script {
  std::string name, text;  // "train.sh"
};

// `site` as check_site() has let it pass.
std::vector<Script> write_scripts(const Site& site, const LaunchRequest& request);

// What of the request cannot be written for this site: Exit::usage.
void check_request(const Site& site, const LaunchRequest& request);

}  // namespace convoy

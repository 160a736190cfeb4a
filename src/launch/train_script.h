// The parts of the scripts that all schedulers share: what is run, with which flags, and what a signal to the shell does.
#pragma once

#include <string>

#include "launch/scheduler.h"

namespace convoy {

std::string pack_body(const Site& site, const LaunchRequest& request, const Step& step);
std::string train_body(const Site& site, const LaunchRequest& request, const Scheduler& scheduler);
std::string compare_body(const Site& site, const LaunchRequest& request);

}  // namespace convoy

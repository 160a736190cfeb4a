// What the operating system calls the processor, for DeviceInfo.
#pragma once

#include <string>

namespace convoy {

std::string processor_name();  // "AMD EPYC 7763 64-Core Processor"; "unknown CPU" where it does not say

}  // namespace convoy

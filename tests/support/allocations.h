// Counts what operator new is called for, by any thread, while asked to; calls from inside oneDNN and MPI, which allocate as
// they please, are left out. To link allocations.cpp is to replace operator new for the whole program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy::testing {

void count_allocations(bool on);
int64_t counted_allocations();             // since the last call of this function
std::vector<std::string> first_callers();  // of those: who asked, for a message

}  // namespace convoy::testing

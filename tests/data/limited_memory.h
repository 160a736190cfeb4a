// A child process whose address space may grow by `more` bytes only: what a test of running out of memory needs. Not under
// AddressSanitizer, for whose shadow memory no limit leaves room.
#pragma once

#ifndef __SANITIZE_ADDRESS__
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

namespace convoy::fixtures {

// Requires that the child's `work`, an int(), ends it with 0.
template <class Work>
void succeeds_within(rlim_t more, const Work& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) + more;
    const rlimit limit{most, most};
    ::_exit(::setrlimit(RLIMIT_AS, &limit) == 0 ? work() : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace convoy::fixtures
#endif

// test_gpu needs a GPU. Without one it says so and exits 77, which is no success: nothing has been tested.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>

#include "backends/cudnn/driver.h"

int main(int argc, char** argv) {
  if (const std::string trouble = convoy::cudnn::ask_driver().trouble; !trouble.empty()) {
    std::printf("SKIPPED: test_gpu DID NOT RUN, %s\n", trouble.c_str());
    return 77;
  }
  return Catch::Session().run(argc, argv);
}

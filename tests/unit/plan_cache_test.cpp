#include <catch2/catch.hpp>
#include <fstream>

#include "../support/temporary_folder.h"
#include "backends/cudnn/plan_cache.h"

namespace convoy::cudnn {

namespace fs = std::filesystem;

TEST_CASE("plans are found again, by the same device alone, and damage is no plan") {
  const testing::TemporaryFolder place;
  const fs::path folder = place.path() / "plans";
  PlanCache first(folder, "cuDNN 9.19.0, H100");
  CHECK(first.find("conv 1").empty());
  first.keep("conv 1", "engine 5\nline two");
  CHECK(first.find("conv 1") == "engine 5\nline two");
  PlanCache again(folder, "cuDNN 9.19.0, H100"), other(folder, "cuDNN 9.18.0, H100");
  CHECK(again.find("conv 1") == "engine 5\nline two");
  CHECK(again.find("conv 2").empty());
  CHECK(other.find("conv 1").empty());
  for (const auto& file : fs::directory_iterator(folder)) std::ofstream(file.path()) << "cuDNN 9.1";
  CHECK(PlanCache(folder, "cuDNN 9.19.0, H100").find("conv 1").empty());
}

TEST_CASE("without a place to write, plans are kept in memory") {
  for (const fs::path& folder : {fs::path(), fs::path("/proc/none/such")}) {
    PlanCache cache(folder, "device");
    cache.keep("conv", "plan");
    CHECK(cache.find("conv") == "plan");
  }
}

}  // namespace convoy::cudnn

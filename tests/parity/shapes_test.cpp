// The lists of problems contain every operation of the networks in every shape; a missing one is printed as the line to
// append.
#include <catch2/catch.hpp>
#include <set>

#include "net/alexnet.h"
#include "net/resnet.h"
#include "problem.h"

namespace convoy::parity {

namespace {

std::set<std::string> shapes_in(const std::string& file) {
  std::set<std::string> shapes;
  for (const Problem& p : read_problems(std::string(CONVOY_SOURCE_DIR) + "/tests/parity/" + file))
    shapes.insert(p.shape());
  return shapes;
}

void require_all(const Graph& graph, const std::set<std::string>& listed) {
  std::set<std::string> missing;
  for (const Problem& p : problems_of(graph, 1))
    if (!listed.contains(p.shape()) && missing.insert(p.shape()).second)
      WARN(graph.name << " lacks: " << p.text());
  CHECK(missing.empty());
}

}  // namespace

TEST_CASE("resnet.txt holds every shape of ResNet-18, 50 and 101, v1 and v1.5") {
  const auto listed = shapes_in("resnet.txt");
  for (int depth : {18, 50, 101})
    for (auto variant : {ResnetOptions::Variant::v1, ResnetOptions::Variant::v1_5}) {
      ResnetOptions options;
      options.depth = depth;
      options.variant = variant;
      require_all(resnet(options), listed);
    }
}

TEST_CASE("alexnet.txt holds every shape of the three AlexNets") {
  const auto listed = shapes_in("alexnet.txt");
  for (auto kind :
       {AlexnetOptions::Kind::original, AlexnetOptions::Kind::bn, AlexnetOptions::Kind::torchvision}) {
    AlexnetOptions options;
    options.kind = kind;
    require_all(alexnet(options), listed);
  }
}

TEST_CASE("a shape that is not listed is missed") {
  const auto listed = shapes_in("resnet.txt");
  ResnetOptions options;
  options.input = 192;
  bool all = true;
  for (const Problem& p : problems_of(resnet(options), 1)) all = all && listed.contains(p.shape());
  CHECK_FALSE(all);
}

TEST_CASE("a problem reads back as it was written") {
  for (const char* line : {"conv n2 c64 56x56 o64 k3x1 s1x2 p1x0 g4 bias", "linear n2 c256 6x6 o4096",
                           "maxpool n1 c64 112x112 k3x3 s2x2 p1x1", "batchnorm n2 c64 56x56 affine",
                           "batchnorm n6 c8 7x7 affine group3", "batchnorm n6 c8 7x7 group2",
                           "lrn n1 c96 55x55 size5", "loss n8 c1000 smooth"})
    CHECK(parse(line).text() == line);
  CHECK_THROWS(parse("conv n2 c64 56x56 o64 k3x3 s1x1 p1x1 g1 bais"));
  CHECK_THROWS(parse("convolution n2 c64 56x56"));
}

}  // namespace convoy::parity

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "base/error.h"
#include "net/alexnet.h"
#include "net/cost.h"
#include "net/resnet.h"

namespace convoy {
namespace {

Graph residual(int depth, ResnetOptions::Variant variant = ResnetOptions::Variant::v1_5) {
  ResnetOptions options;
  options.depth = depth;
  options.variant = variant;
  return resnet(options);
}

Graph alex(AlexnetOptions::Kind kind, int input = 0) {
  AlexnetOptions options;
  options.kind = kind;
  options.input = input;
  return alexnet(options);
}

const Node& node_of(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes)
    if (node.name == name) return node;
  fail("no node {}", name);
}

const Param& param_of(const Graph& graph, const std::string& name) {
  for (const Param& param : graph.params)
    if (param.name == name) return param;
  fail("no parameter {}", name);
}

}  // namespace

TEST_CASE("the generators have the published numbers of parameters") {
  CHECK(residual(18).parameters() == 11689512);
  CHECK(residual(34).parameters() == 21797672);
  CHECK(residual(50).parameters() == 25557032);
  CHECK(residual(50, ResnetOptions::Variant::v1).parameters() == 25557032);
  CHECK(residual(101).parameters() == 44549160);
  CHECK(residual(152).parameters() == 60192808);
  CHECK(alex(AlexnetOptions::Kind::torchvision).parameters() == 61100840);
  CHECK(alex(AlexnetOptions::Kind::original).parameters() == 60965224);
  CHECK(alex(AlexnetOptions::Kind::bn).parameters() == 60965224);  // its batch norms have none
}

TEST_CASE("the generators have the published numbers of multiply-adds") {
  CHECK(multiply_adds(residual(18)) == 1814073344);
  CHECK(multiply_adds(residual(50)) == 4089184256);
  CHECK(multiply_adds(residual(50, ResnetOptions::Variant::v1)) == 3857973248);
  CHECK(multiply_adds(alex(AlexnetOptions::Kind::torchvision)) == 714188480);
  CHECK(multiply_adds(alex(AlexnetOptions::Kind::original)) == 724406816);
}

TEST_CASE("v1 and v1.5 differ in where the stride is") {
  const Graph v1 = residual(50, ResnetOptions::Variant::v1), v15 = residual(50);
  CHECK(v1.name == "resnet50-v1");
  CHECK(v15.name == "resnet50-v1.5");
  CHECK(residual(18).name == "resnet18-v1=v1.5");
  CHECK(std::get<Conv>(node_of(v1, "layer2.0.conv1").op).stride == Extent{2, 2});
  CHECK(std::get<Conv>(node_of(v1, "layer2.0.conv2").op).stride == Extent{1, 1});
  CHECK(std::get<Conv>(node_of(v15, "layer2.0.conv1").op).stride == Extent{1, 1});
  CHECK(std::get<Conv>(node_of(v15, "layer2.0.conv2").op).stride == Extent{2, 2});
  CHECK(node_of(v15, "layer4.2.relu").shape == Shape{2048, 7, 7});
}

TEST_CASE("ResNet parameters carry torchvision's names, shapes and Goyal's initial values") {
  const Graph graph = residual(50);
  CHECK(param_of(graph, "conv1.weight").shape == std::vector<int64_t>{64, 3, 7, 7});
  CHECK(param_of(graph, "conv1.weight").init.value == Approx(std::sqrt(2.0 / (64 * 49))));
  CHECK(param_of(graph, "layer1.0.downsample.0.weight").shape == std::vector<int64_t>{256, 64, 1, 1});
  CHECK(param_of(graph, "layer1.0.bn2.weight").init.value == 1.0f);
  CHECK(param_of(graph, "layer1.0.bn3.weight").init.value == 0.0f);
  CHECK(param_of(graph, "layer1.0.downsample.1.weight").init.value == 1.0f);
  CHECK(param_of(graph, "layer1.0.bn3.weight").role == Role::norm_scale);
  CHECK(param_of(graph, "fc.weight").shape == std::vector<int64_t>{1000, 2048});
  CHECK(param_of(graph, "fc.bias").role == Role::bias);
  CHECK(graph.stats.front().name == "bn1.running_mean");
  CHECK(graph.stats.back().name == "layer4.2.bn3.running_var");
}

TEST_CASE("the small stem keeps the resolution of small images") {
  ResnetOptions options;
  options.depth = 18;
  options.classes = 10;
  options.input = 32;
  options.stem = ResnetOptions::Stem::small;
  const Graph graph = resnet(options);
  CHECK(graph.name == "resnet18-v1=v1.5-small-stem");
  CHECK(node_of(graph, "bn1.relu").shape == Shape{64, 32, 32});
  CHECK(node_of(graph, "layer4.1.relu").shape == Shape{512, 4, 4});
}

TEST_CASE("the three AlexNets are three") {
  const Graph original = alex(AlexnetOptions::Kind::original), bn = alex(AlexnetOptions::Kind::bn),
              torchvision = alex(AlexnetOptions::Kind::torchvision);
  CHECK(std::set<std::string>{original.name, bn.name, torchvision.name}.size() == 3);
  CHECK(node_of(original, "norm1").inputs == std::vector<int>{2});  // conv-relu-LRN-pool
  CHECK(node_of(original, "conv2").shape == Shape{256, 27, 27});
  CHECK(param_of(original, "conv2.weight").shape == std::vector<int64_t>{256, 48, 5, 5});
  CHECK(param_of(original, "conv2.bias").init.value == 0.1f);
  CHECK(node_of(original, "pool5").shape == Shape{256, 6, 6});
  CHECK(original.stats.empty());
  CHECK(bn.stats.size() == 8);
  for (const char* name : {"bn2", "bn3", "bn4", "bn5"}) CHECK(node_of(bn, name).params.empty());
  CHECK(bn.nodes[static_cast<size_t>(node_of(bn, "bn2").inputs[0])].name == "pool1");
  CHECK(bn.nodes[static_cast<size_t>(node_of(bn, "bn4").inputs[0])].name == "relu3");
  CHECK(param_of(bn, "fc8.bias").init.value == 0.01f);
  CHECK(param_of(torchvision, "features.3.weight").shape == std::vector<int64_t>{192, 64, 5, 5});
  CHECK(param_of(torchvision, "classifier.1.weight").shape == std::vector<int64_t>{4096, 9216});
}

TEST_CASE("what cannot be built exactly is refused with a reason") {
  CHECK_THROWS_WITH(residual(42), Catch::Contains("18, 34, 50, 101 or 152"));
  CHECK_THROWS_WITH(alex(AlexnetOptions::Kind::original, 224), Catch::Contains("use 227"));
  CHECK_THROWS_WITH(alex(AlexnetOptions::Kind::torchvision, 128), Catch::Contains("use 224"));
  CHECK(node_of(alex(AlexnetOptions::Kind::torchvision, 415), "avgpool").shape == Shape{256, 6, 6});
}

TEST_CASE("the builder names the node that does not fit") {
  const Conv conv{8, {3, 3}, {1, 1}, {0, 0}, 1, false};
  GraphBuilder build("wrong", {3, 8, 8});
  CHECK_THROWS_WITH(build.conv("grouped", 0, {8, {3, 3}, {1, 1}, {0, 0}, 2, false}, {}),
                    Catch::Contains("grouped"));
  CHECK_THROWS_WITH(build.conv("large", 0, {8, {9, 9}, {1, 1}, {0, 0}, 1, false}, {}),
                    Catch::Contains("does not fit"));
  CHECK_THROWS_WITH(build.relu("ahead", 7), Catch::Contains("ahead"));
  const int a = build.conv("a", 0, conv, {});
  CHECK_THROWS_WITH(build.conv("a", 0, conv, {}), Catch::Contains("two nodes"));
  CHECK_THROWS_WITH(build.add("sum", a, 0), Catch::Contains("8x6x6"));
  CHECK_THROWS_WITH(build.softmax_loss("loss", a, 0.0f), Catch::Contains("map"));
  build.relu("unread", 0);
  build.relu("last", a);
  CHECK_THROWS_WITH(build.finish(), Catch::Contains("unread"));
}

}  // namespace convoy

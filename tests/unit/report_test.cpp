// What tests/compare does not reach from the prompt: known answers by hand, and the readers' edges.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "report/comparability.h"
#include "report/curves.h"
#include "report/json_file.h"
#include "report/numerics.h"
#include "report/reference_points.h"
#include "report/resample.h"
#include "report/rules.h"
#include "report/statistics.h"
#include "train/predictions.h"

namespace convoy::report {
namespace {

Curve curve(std::vector<Point> points) { return {"loss", std::move(points)}; }

std::vector<double> counting(size_t n) {
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i) values.push_back(static_cast<double>(i));
  return values;
}

}  // namespace

TEST_CASE("medians and Student's distribution at known points") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 3, 2}) == 2.5);
  CHECK(student_cdf(0, 5) == 0.5);
  CHECK(student_cdf(1, 1) == Approx(0.75).epsilon(1e-12));  // Cauchy's
  CHECK(student_quantile(0.95, 10) == Approx(1.8124611228107335).epsilon(1e-9));
}

TEST_CASE("the median's interval is made of order statistics that hold it with 95 %") {
  const auto interval = [](int n) {  // of n, n-1, ... 1
    std::vector<double> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(values.size() - i);
    const report::Interval found = report::median_interval(values);
    return std::pair(found.low, found.high);
  };
  CHECK(interval(1) == std::pair(1.0, 1.0));
  CHECK(interval(5) == std::pair(1.0, 5.0));    // 93.75 %: no more can be had
  CHECK(interval(7) == std::pair(1.0, 7.0));    // 98.4 %
  CHECK(interval(9) == std::pair(2.0, 8.0));    // 96.1 %
  CHECK(interval(20) == std::pair(6.0, 15.0));  // 95.9 %
}

TEST_CASE("the exact distribution of U: 3 against 3, all above, is one ordering of twenty on either side") {
  const Test test = mann_whitney(std::vector<double>{1, 2, 3}, std::vector<double>{4, 5, 6});
  CHECK(test.statistic == 0);
  CHECK(test.p == Approx(0.1).epsilon(1e-12));
  CHECK(mann_whitney(std::vector<double>(9, 1.0), std::vector<double>(9, 1.0)).p == 1);
}

TEST_CASE("samples without any spread have a mean that is equal or is not") {
  const std::vector<double> a{1, 1}, b{2, 2, 2};
  CHECK(welch(a, a).p == 1);
  CHECK(welch(a, b).p == 0);
  CHECK(two_proportions({5, 5}, {9, 9}).p == 1);
  CHECK(mcnemar(0, 0).p == 1);
}

TEST_CASE(
    "blocks: what is constant is independent, what ascends is one block, the first samples are left out") {
  CHECK(block_length(std::vector<double>(50, 3.0)) == 1);
  CHECK(block_length(counting(100)) > 20);
  CHECK(block_medians(counting(7), 3) == std::vector<double>{2, 5});
  CHECK(block_medians(counting(2), 3).empty());
  const std::vector<double> samples = counting(20);
  CHECK(bootstrap_medians(samples, 4, 7) == bootstrap_medians(samples, 4, 7));
  CHECK(bootstrap_medians(samples, 4, 7) != bootstrap_medians(samples, 4, 8));
}

TEST_CASE("two lines one apart at their end: maximum, area and mean by hand") {
  const auto apart = curve_difference(curve({{0, 0}, {10, 0}}), curve({{0, 0}, {10, 1}}));
  REQUIRE(apart);
  CHECK(apart->max == 1);
  CHECK(apart->at_images == 10);
  CHECK(apart->area == Approx(0.5));
  CHECK(apart->mean == Approx(0.5));
  const auto below = curve_difference(curve({{0, 1}, {20, 1}}), curve({{10, 0}, {30, 0}}));
  REQUIRE(below);
  CHECK(below->from_images == 10);
  CHECK(below->to_images == 20);
  CHECK(below->area == Approx(1));
  CHECK(below->mean == Approx(-1));
  CHECK_FALSE(curve_difference(curve({{0, 1}, {5, 1}}), curve({{6, 1}, {7, 1}})));
  CHECK_FALSE(curve_difference(curve({}), curve({{6, 1}})));
  CHECK(curve_difference(curve({{6, 1}}), curve({{6, 3}}))->area == 2);
}

TEST_CASE("long curves are averaged before they are compared: noise is no difference") {
  Curve a = curve({}), b = curve({});
  for (int i = 0; i < 4000; ++i) {
    a.points.push_back({static_cast<double>(i), i % 2 == 0 ? 1.0 : -1.0});
    b.points.push_back({static_cast<double>(i), i % 2 == 0 ? -1.0 : 1.0});
  }
  const auto apart = curve_difference(a, b);
  REQUIRE(apart);
  CHECK(apart->max < 0.2);
  CHECK(apart->points <= 402);
}

TEST_CASE("reference points ascend, and the medians are those of MLPerf's table") {
  const std::vector<std::pair<int64_t, double>> table{{1632, 35},    {3264, 35},  {4096, 40},  {8192, 42},
                                                      {13056, 45.5}, {32768, 56}, {49152, 68}, {58880, 80},
                                                      {65536, 85},   {67840, 86}};
  const auto& points = mlperf_resnet50();
  REQUIRE(points.size() == table.size());
  for (size_t i = 0; i < points.size(); ++i) {
    CHECK(points[i].minibatch == table[i].first);
    CHECK(std::abs(median(points[i].epochs) - table[i].second) <= 0.5);  // the table rounds
    CHECK(points[i].epochs.size() >= 10);
  }
}

TEST_CASE("rules: operators, signs and units") {
  const Rule rule = parse_rule(" BM_tree <8> time >= +2.5 % ");
  CHECK(rule.metric == "BM_tree <8> time");
  CHECK(rule.comparison == ">=");
  CHECK(rule.bound == 2.5);
  CHECK(rule.relative);
  CHECK(parse_rule("val_top1<-0.2").metric == "held_out_top1");
  CHECK_FALSE(parse_rule("val_top1<-0.2").relative);
  for (const char* wrong : {"", "x", "< 3", "x < ", "x < %", "x < nan", "x < 1e999", "x = 3"})
    CHECK_THROWS_AS(parse_rule(wrong), Error);
}

TEST_CASE("keys that older files lack mean what they meant then") {
  CHECK(before_the_key("network.bn_group") == "0");
  CHECK(before_the_key("allreduce.wire") == "\"f32\"");
  CHECK(before_the_key("network.width").empty());
}

TEST_CASE("JSON's accessors answer with nothing, not with an error, and no text steers a terminal") {
  const Json json =
      *parse(R"({"a": {"b": [1, "x"]}, "n": null, "t": "a\u001b[2J\nb", "big": 1e300, "f": 2.5})");
  CHECK(number(json, "a.b.c") == std::nullopt);
  CHECK(number(json, "n") == std::nullopt);
  CHECK(number(json, "t") == std::nullopt);
  CHECK(integer(json, "big") == std::nullopt);
  CHECK(integer(json, "f") == std::nullopt);
  CHECK(string(json, "t") == "a?[2J?b");
  CHECK(list(json, "a.b").size() == 2);
  CHECK(list(json, "a").empty());
  CHECK(text(json, "a.b") == "[1,\"x\"]");
  CHECK_FALSE(parse(std::string(200, '[') + std::string(200, ']')));
  CHECK_FALSE(parse("{\"x\": 1e999}"));
  CHECK(parse(
      R"({"brackets in text": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})"));
  const std::string cut = printable(std::string(198, 'a') + "\u00e9\u00e9\u00e9");
  CHECK(cut == std::string(197, 'a') + "...");
}

TEST_CASE("predictions are read whole or not at all") {
  const std::string head = "# convoy.predictions/1 held_out=f weights=w steps=12\nlabel,predicted,rank\n";
  const auto whole = parse_predictions(head + "3,3,0\n1,2,7\n");
  REQUIRE(whole);
  CHECK(whole->held_out == "f");
  CHECK(whole->weights == "w");
  CHECK(whole->steps == 12);
  REQUIRE(whole->images.size() == 2);
  CHECK(whole->images[1].rank == 7);
  for (const char* wrong : {"3,3", "3,3,0,", "3,3,x", "-1,3,0", "3;3;0", "99999999999,1,1", ""})
    CHECK_FALSE(parse_predictions(head + wrong + "\n"));
  CHECK_FALSE(parse_predictions(head + "3,3,0"));
  CHECK_FALSE(parse_predictions(""));
}

TEST_CASE("numerics: the first step whose exact sums differ is named, after the last equal digest") {
  Run a, b;
  for (int64_t step = 0; step < 6; ++step) {
    a.steps.push_back({step, 1 << 24, 1});
    b.steps.push_back({step, (1 << 24) + (step == 4), 1});
  }
  a.evaluations = {{.step = 2, .digest = "d"}, {.step = 5, .digest = "e"}};
  b.evaluations = {{.step = 2, .digest = "d"}, {.step = 5, .digest = "f"}};
  const Numerics differs = compare_numerics(a, b);
  CHECK(differs.equal_through == 2);
  CHECK(differs.first_difference == 4);
  CHECK_FALSE(differs.equal);
  CHECK(
      differs.words.find("bitwise equal through step 2, different at step 5; the steps' losses first differ "
                         "at step 4") == 0);
  CHECK(compare_numerics(a, a).words == "bitwise equal through step 5");
  a.evaluations.clear();
  CHECK(compare_numerics(a, a).words.find("the losses are equal through step 5") != std::string::npos);
  CHECK(compare_numerics({}, {}).words == "no step at which both recorded the weights");
}

}  // namespace convoy::report

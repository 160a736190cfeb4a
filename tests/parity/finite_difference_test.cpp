// Every backward pass of the reference backend against five-point differences of its forward pass, in double:
// f'(x) = (f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)) / 12h + O(h^4). Inputs are distinct multiples of 2^-5 plus 2^-6, so
// that no ReLU and no maximum changes its branch within 2h = 2^-7, and all are exact in f32, as the Batch wants them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "backends/reference/machine.h"

namespace convoy {
namespace {

constexpr double h = 0x1p-8, tolerance = 1e-6;

class Probe {
 public:
  Probe(const Graph& graph, int images)
      : program_(lower(graph, images, {.input_gradient = true})),
        arena_(graph, program_.layout, 0),
        machine_(program_, arena_, 2) {
    const size_t count = machine_.value(0).size();
    const auto order = permutation(static_cast<uint32_t>(count), 1, 1);
    for (uint32_t place : order)
      images_.push_back(static_cast<float>(
          (static_cast<double>(place) - static_cast<double>(count / 2)) * 0x1p-5 + 0x1p-6));
    fill(top_, machine_.value(last()).size(), 2);
    for (size_t p = 0; p < graph.params.size(); ++p) {
      std::vector<float> values;
      fill(values, arena_.param(static_cast<int>(p)).size(), 10 + p);
      std::copy(values.begin(), values.end(), arena_.param(static_cast<int>(p)).begin());
    }
    const int classes = graph.nodes[graph.nodes.size() - 2].shape.channels;
    for (int i = 0; i < images; ++i) labels_.push_back(i == 1 ? -1 : i % classes);  // one is padding
  }

  // Largest error over the input and all parameters, relative to max(1, the gradient).
  double worst_error() {
    run();
    const std::vector<double> input(machine_.gradient(0).begin(), machine_.gradient(0).end());
    std::vector<std::vector<double>> params;
    for (size_t p = 0; p < program_.graph.params.size(); ++p) {
      const auto gradient = arena_.param_grad(static_cast<int>(p));
      params.emplace_back(gradient.begin(), gradient.end());
    }
    double worst = compare<float>(images_, input);
    for (size_t p = 0; p < params.size(); ++p)
      worst = std::max(worst, compare<double>(arena_.param(static_cast<int>(p)), params[p]));
    return worst;
  }

 private:
  int last() const { return static_cast<int>(program_.graph.nodes.size()) - 1; }

  static void fill(std::vector<float>& values, size_t count, uint64_t stream) {
    const Random random(7, stream);
    for (size_t i = 0; i < count; ++i)
      values.push_back(static_cast<float>(std::round((unit(random.bits(i)) * 2 - 1) * 256) / 256 + 0x1p-10));
  }

  double run() {
    machine_.train(
        {.images = images_, .labels = labels_, .top_gradient = top_, .seed = 3, .step = 4, .worker = 1}, {});
    const auto y = machine_.value(last());
    double loss = 0;
    const bool is_loss = std::holds_alternative<SoftmaxLoss>(program_.graph.nodes.back().op);
    for (size_t i = 0; i < y.size(); ++i)
      loss += y[i] * (is_loss ? 1.0 / program_.images : static_cast<double>(top_[i]));
    return loss;
  }

  template <class T>
  double compare(std::span<T> values, const std::vector<double>& gradient) {
    double worst = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const T kept = values[i];
      const auto at = [&](double shift) {
        values[i] = static_cast<T>(static_cast<double>(kept) + shift);
        return run();
      };
      const double slope = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
      values[i] = kept;
      worst = std::max(worst, std::abs(slope - gradient[i]) / std::max(1.0, std::abs(gradient[i])));
    }
    return worst;
  }

  Program program_;
  ArenaOf<double> arena_;
  reference::Machine<double> machine_;
  std::vector<float> images_, top_;
  std::vector<int32_t> labels_;
};

double worst_error(Shape input, const std::function<void(GraphBuilder&)>& write, int images = 3) {
  GraphBuilder build("probe", input);
  write(build);
  return Probe(build.finish(), images).worst_error();
}

}  // namespace

TEST_CASE("finite differences: convolution") {
  CHECK(worst_error({2, 5, 5}, [](auto& b) {
          b.conv("c", 0, {3, {3, 3}, {1, 1}, {1, 1}, 1, true}, {});
        }) < tolerance);
  CHECK(worst_error({4, 6, 5}, [](auto& b) {
          b.conv("c", 0, {6, {3, 2}, {2, 1}, {2, 0}, 2, false}, {});
        }) < tolerance);
  CHECK(worst_error({3, 4, 4}, [](auto& b) {
          b.conv("c", 0, {3, {1, 1}, {2, 2}, {0, 0}, 3, true}, {});
        }) < tolerance);
}

TEST_CASE("finite differences: linear layer on a map") {
  CHECK(worst_error({2, 3, 2}, [](auto& b) { b.linear("l", 0, {5, true}, {}); }) < tolerance);
  CHECK(worst_error({7, 1, 1}, [](auto& b) { b.linear("l", 0, {3, false}, {}); }) < tolerance);
}

TEST_CASE("finite differences: batch norm, with and without gamma and beta") {
  CHECK(worst_error({3, 2, 4}, [](auto& b) { b.batchnorm("n", 0, {}); }) < tolerance);
  CHECK(worst_error({3, 2, 2}, [](auto& b) { b.batchnorm("n", 0, {1e-2f, 0.9f, false, true}); }) < tolerance);
}

TEST_CASE("finite differences: batch norm over groups of images") {
  for (const bool affine : {true, false})
    for (const int group : {1, 2, 3})
      CHECK(worst_error(
                {2, 2, 2},
                [=](auto& b) {
                  b.batchnorm("n", 0, {1e-2f, 0.9f, affine, true, group});
                },
                6) < tolerance);
}

TEST_CASE("finite differences: ReLU and addition, also of a value with itself") {
  CHECK(worst_error({3, 3, 3}, [](auto& b) { b.relu("r", 0); }) < tolerance);
  CHECK(worst_error({3, 3, 3}, [](auto& b) { b.add("a", b.relu("r", 0), 0); }) < tolerance);
  CHECK(worst_error({3, 3, 3}, [](auto& b) { b.add("a", 0, 0); }) < tolerance);
}

TEST_CASE("finite differences: pooling") {
  for (Pool::Kind kind : {Pool::Kind::max, Pool::Kind::average}) {
    CHECK(worst_error({2, 5, 6}, [kind](auto& b) {
            b.pool("p", 0, {kind, {3, 3}, {2, 2}, {1, 1}});
          }) < tolerance);
    CHECK(worst_error({2, 7, 5}, [kind](auto& b) {
            b.pool("p", 0, {kind, {3, 2}, {1, 3}, {0, 1}});
          }) < tolerance);
  }
}

TEST_CASE("finite differences: local response normalization") {
  CHECK(worst_error({7, 2, 2}, [](auto& b) { b.lrn("l", 0, {5, 0.5f, 0.75f, 1.0f}); }) < tolerance);
  CHECK(worst_error({2, 3, 2}, [](auto& b) { b.lrn("l", 0, {3, 0.25f, 0.5f, 2.0f}); }) < tolerance);
}

TEST_CASE("finite differences: dropout") {
  CHECK(worst_error({5, 3, 3}, [](auto& b) { b.dropout("d", 0, 0.4f); }) < tolerance);
}

TEST_CASE("finite differences: softmax loss, with smoothing and a padded image") {
  for (float smoothing : {0.0f, 0.1f})
    CHECK(worst_error({6, 1, 1}, [smoothing](auto& b) { b.softmax_loss("s", 0, smoothing); }) < tolerance);
}

TEST_CASE("finite differences: a residual block with everything in it") {
  CHECK(worst_error({2, 4, 4}, [](GraphBuilder& b) {
          int x = b.conv("c1", 0, {4, {3, 3}, {1, 1}, {1, 1}, 2, false}, {});
          x = b.batchnorm("n1", x, {1e-1f, 0.9f, true, true});
          const int shortcut = b.conv("c2", 0, {4, {1, 1}, {1, 1}, {0, 0}, 1, true}, {});
          x = b.add("a", x, shortcut);
          x = b.lrn("lrn", x, {3, 0.5f, 0.75f, 1.0f});
          x = b.pool("p", x, {Pool::Kind::average, {2, 2}, {2, 2}, {0, 0}});
          x = b.dropout("d", x, 0.25f);
          x = b.linear("l", x, {5, true}, {});
          b.softmax_loss("s", x, 0.1f);
        }) < tolerance);
}

}  // namespace convoy

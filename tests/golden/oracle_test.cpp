// The reference backend in double against PyTorch in float64, on small inputs: every value, every gradient, the weights'
// movement in 20 optimizer steps (src/train's own code, in double) and the running statistics after them agree to 1e-10 relative. Both sides round at
// 2^-53; what lies between is the amplification by the network, and by 20 steps of training.
#include <catch2/catch.hpp>
#include <cmath>

#include "backends/common/host_vector.h"
#include "backends/reference/machine.h"
#include "report.h"

namespace convoy::golden {
namespace {

constexpr double tolerance = 1e-10;
constexpr int threads = 2;

class Oracle {
 public:
  explicit Oracle(const std::string& network)
      : file_("small-" + network),
        graph_(file_.graph()),
        program_(lower(graph_, file_.images(), {.input_gradient = true})),
        arena_(graph_, program_.layout, 1),
        machine_(program_, arena_, threads),
        report_("float64 " + network) {}

  void check_first_step() {
    const double loss = run(0, true);
    CHECK(report_.add("loss", "mean", std::abs(loss / file_.loss() - 1)) < tolerance);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const std::string& name = graph_.nodes[n].name;
      check("values", file_.first("value " + name), "value " + name, machine_.value(static_cast<int>(n)));
      const auto gradient = machine_.gradient(static_cast<int>(n));
      if (!gradient.empty())
        check("gradients", file_.first("gradient " + name), "gradient " + name, gradient);
    }
    for (size_t p = 0; p < graph_.params.size(); ++p) {
      const std::string key = "d " + graph_.params[p].name;
      check<double>("weight gradients", file_.first(key), key, arena_.param_grad(static_cast<int>(p)));
    }
  }

  void check_training() {
    for (const auto& [kind, run_of] : file_.optimizers().items()) {
      const Optimizer optimizer = optimizer_of(run_of.at("options"));
      for (int step = 0; step < file_.steps(); ++step) {
        const double loss = run(step, step == 0);
        CHECK(report_.add(kind + " losses", std::to_string(step),
                          std::abs(loss / run_of.at("losses")[static_cast<size_t>(step)].get<double>() - 1)) <
              tolerance);
        const double rate = run_of.at("options").at("rate").get<double>() * (step + 1) / 32;
        update(optimizer, vector_, graph_, arena_, {.rate = rate, .previous_rate = rate}, 1.0);
      }
      const auto& final = run_of.at("final");
      for (size_t p = 0; p < graph_.params.size(); ++p) {
        const std::string& name = graph_.params[p].name;
        check<double>(kind + " weights", File::summary(final, name), "moved " + name,
                      file_.moved(arena_, graph_, p));
      }
      for (size_t s = 0; s < graph_.stats.size(); ++s) {
        const std::string& name = graph_.stats[s].name;
        check<double>(kind + " statistics", File::summary(final, name), "moved " + name,
                      arena_.stat(static_cast<int>(s)));
      }
    }
  }

 private:
  double run(int step, bool from_start) {
    if (from_start) file_.start(arena_, graph_);
    const Minibatch minibatch = file_.minibatch(step);
    machine_.train(minibatch.batch, {});
    double sum = 0;
    for (double loss : machine_.value(static_cast<int>(graph_.nodes.size()) - 1)) sum += loss;
    return sum / file_.images();
  }

  template <class T>
  void check(const std::string& heading, const Summary& expected, const std::string& key,
             std::span<const T> values) {
    INFO(key);
    CHECK(report_.add(heading, key, relative_error(summarize(key, values), expected, values.size())) <
          tolerance);
  }

  File file_;
  Graph graph_;
  Program program_;
  ArenaOf<double> arena_;
  reference::Machine<double> machine_;
  HostVectorOf<double> vector_{threads};
  Report report_;
};

}  // namespace

TEST_CASE("float64 agrees with PyTorch to 1e-10: values, gradients and 20 optimizer steps", "[float64]") {
  const std::string network = GENERATE(from_range(networks));
  DYNAMIC_SECTION(network) {
    Oracle oracle(network);
    oracle.check_first_step();
    oracle.check_training();
  }
}

TEST_CASE("a golden comparison notices one wrong sign, one wrong element and a transposition", "[float64]") {
  std::vector<double> x(1200);
  fill<double>(x, "notice", 0.0, 1.0);
  const Summary right = summarize<double>("x", x);
  CHECK(relative_error(summarize<double>("x", x), right, x.size()) == 0.0);
  auto wrong = x;
  wrong[600] = -wrong[600];
  CHECK(relative_error(summarize<double>("x", wrong), right, x.size()) > 1e-6);
  wrong = x;
  wrong[3] += 1e-6;
  CHECK(relative_error(summarize<double>("x", wrong), right, x.size()) > 1e-9);
  for (size_t i = 0; i < 30; ++i)
    for (size_t j = 0; j < 40; ++j) wrong[j * 30 + i] = x[i * 40 + j];
  CHECK(relative_error(summarize<double>("x", wrong), right, x.size()) > 0.1);
}

}  // namespace convoy::golden

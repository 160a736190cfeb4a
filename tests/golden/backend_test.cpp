// A float32 backend against PyTorch in float64 at the networks' full input size: every value, every parameter's
// gradient, the weights' movement in 20 optimizer steps (src/train's own optimizers) and the running statistics.
//
// The bounds, with u = 2^-24, L the number of nodes, K the longest sum (inputs of an output, or images x positions):
//   values     2 u sqrt(L K)                      errors of independent roundings grow as the root of their number
//   gradients  2 u sqrt(2 L K) + 4 sqrt(u sqrt(K))  twice the way; and a ReLU or maximum whose input lies within its
//              error u sqrt(K) of the border goes the other way: of a share f of such elements the L2 norm is sqrt(f)
//   weights    4 x gradients + steps u |w| / |w - w0|   20 steps of them, and the rounding of the weights themselves
// relative to the tensor's norm (elements: to the larger of the element and the root mean square); or 4 times what PyTorch
// in float32 does by the same measure (the golden file has it), where that is more.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "backends/registry.h"
#include "base/error.h"
#include "report.h"
#include "tests/support/subject.h"
#include "train/optimizer.h"

namespace convoy::golden {
namespace {

constexpr int threads = 2;

struct Bounds {
  double values, gradients;
};

Bounds bounds_of(const Graph& graph, int images) {
  constexpr double u = 0x1p-24;
  double longest = 1;
  for (const Node& node : graph.nodes) {
    longest = std::max(longest, static_cast<double>(images) * node.shape.height * node.shape.width);
    for (int p : node.params) {
      const Param& param = graph.params[static_cast<size_t>(p)];
      longest = std::max(longest, static_cast<double>(param.elements() / param.shape[0]));
    }
  }
  const auto length = static_cast<double>(graph.nodes.size());
  return {2 * u * std::sqrt(length * longest),
          2 * u * std::sqrt(2 * length * longest) + 4 * std::sqrt(u * std::sqrt(longest))};
}

class Trial {
 public:
  Trial(const std::string& backend, const std::string& file)
      : file_(file),
        graph_(file_.graph()),
        program_(lower(graph_, file_.images())),
        backend_(make_backend(backend, threads)),
        arena_(graph_, program_.layout, 1, [this](size_t bytes) { return backend_->allocate(bytes); }),
        bounds_(bounds_of(graph_, program_.images)),
        report_(fmt::format("float32 {} {} (bounds {:.1e}, {:.1e})", backend, file, bounds_.values,
                            bounds_.gradients)) {}

  void check_first_step(bool gradients = true) {
    for (bool keep_values : {true, false}) {
      const auto plan = backend_->compile(program_, arena_, {.keep_values = keep_values});
      file_.start(arena_, graph_);
      const double loss = run(*plan, 0);
      check("loss", "mean", std::abs(loss / file_.loss() - 1), bounds_.values);
      std::vector<float> value;
      for (size_t n = 0; n < graph_.nodes.size(); ++n) {
        value.resize(static_cast<size_t>(graph_.nodes[n].shape.elements() * program_.images));
        const bool there = plan->peek(Peek::value, static_cast<int>(n), value);
        CHECK((there || !keep_values));
        const std::string key = "value " + graph_.nodes[n].name;
        if (there) check<float>("values", file_.first(key), key, value, bounds_.values);
      }
      for (size_t p = 0; gradients && p < graph_.params.size(); ++p) {
        const std::string key = "d " + graph_.params[p].name;
        check<float>("weight gradients", file_.first(key), key, arena_.param_grad(static_cast<int>(p)),
                     bounds_.gradients);
      }
    }
  }

  void check_training() {
    const auto plan = backend_->compile(program_, arena_);
    for (const auto& [kind, run_of] : file_.optimizers().items()) {
      const Optimizer optimizer = optimizer_of(run_of.at("options"));
      file_.start(arena_, graph_);
      double previous = 0;
      for (int step = 0; step < file_.steps(); ++step) {
        const double loss = run(*plan, step);
        const double expected = run_of.at("losses")[static_cast<size_t>(step)];
        check(kind + " losses", std::to_string(step), std::abs(loss / expected - 1), bounds_.gradients);
        const double rate = run_of.at("options").at("rate").get<double>() * (step + 1) / 32;
        update(optimizer, backend_->vector(), graph_, arena_,
               {.rate = rate, .previous_rate = step == 0 ? rate : previous}, 1.0f);
        previous = rate;
      }
      const auto& final = run_of.at("final");
      size_t still = 0;
      for (size_t p = 0; p < graph_.params.size(); ++p) {
        const std::string& name = graph_.params[p].name;
        const std::span<float> now = arena_.param(static_cast<int>(p));
        const Summary moved = File::summary(final, name);
        const double rounding = file_.steps() * 0x1p-24 * summarize<float>(name, now).norm / moved.norm;
        if (rounding > 0.25) {  // moved by less than a few units in the last place: nothing to see in float32
          ++still;
          continue;
        }
        check<double>(kind + " weights", moved, "moved " + name, file_.moved(arena_, graph_, p),
                      4 * bounds_.gradients + rounding);
      }
      CHECK(still <= graph_.params.size() / 4);
      if (still > 0)
        std::printf("%zu of %zu parameters moved too little to compare; ", still, graph_.params.size());
      for (size_t s = 0; s < graph_.stats.size(); ++s) {
        const std::string& name = graph_.stats[s].name;
        check<float>(kind + " statistics", File::summary(final, name), "moved " + name,
                     arena_.stat(static_cast<int>(s)), bounds_.gradients);
      }
    }
  }

 private:
  double run(Plan& plan, int step) {
    minibatch_ = file_.minibatch(step);  // stays while the plan is looked at
    plan.train(minibatch_.batch, [](BucketId, Event) {});
    return plan.totals().mean_loss();
  }

  void check(const std::string& heading, const std::string& name, double error, double bound) {
    INFO(name);
    CHECK(report_.add(heading, name, error) < std::max(bound, 4 * file_.float32_error(heading)));
  }

  template <class T>
  void check(const std::string& heading, const Summary& expected, const std::string& key,
             std::span<const T> values, double bound) {
    check(heading, key, relative_error(summarize(key, values), expected, values.size()), bound);
  }

  File file_;
  Graph graph_;
  Program program_;
  std::unique_ptr<Backend> backend_;
  Arena arena_;
  Bounds bounds_;
  Minibatch minibatch_;
  Report report_;
};

}  // namespace

// Values of every small network. Gradients where a bound can be given for few elements: one ReLU that float32 takes the
// other way weighs much in the ResNets' maps of 2x2, so theirs are compared at full size. 20 steps at the small files' rates
// amplify float32's rounding without bound (dump.py).
TEST_CASE("the fused plan agrees with PyTorch in float64 within float32's rounding", "[fused]") {
  const std::string network = GENERATE(from_range(networks));
  DYNAMIC_SECTION(network) {
    Trial("fused", "small-" + network).check_first_step(network.starts_with("alexnet"));
    if (network == "resnet18") Trial("fused", "full-resnet18").check_first_step();
    if (!network.starts_with("resnet")) return;
    Trial("fused-mainloop", "small-" + network).check_first_step(false);
    if (network == "resnet18") Trial("fused-mainloop", "full-resnet18").check_first_step();
  }
}

// At full size the rates are lower, and 20 steps have a bound; the interpreter takes minutes for them. By hand:
// test_golden "[fused-steps]".
TEST_CASE("20 steps of the fused plan agree with PyTorch in float64 within float32's rounding",
          "[.][fused-steps]") {
  const std::string file = GENERATE("full-alexnet-bn", "full-resnet18");
  DYNAMIC_SECTION(file) { Trial("fused", file).check_training(); }
}

TEST_CASE("float32 agrees with PyTorch in float64 within its rounding", "[onednn]") {
  const std::string network = GENERATE(from_range(networks));
  DYNAMIC_SECTION(network) {
    Trial trial(subject_backend(), "full-" + network);
    trial.check_first_step();
    trial.check_training();
  }
}

}  // namespace convoy::golden

// convoy predict IMAGE...: what a trained network sees, with the preprocessing of its evaluation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backends/registry.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/model.h"
#include "cli/tree.h"
#include "comm/affinity.h"
#include "data/augment.h"
#include "data/decode.h"
#include "net/program.h"
#include "train/port_options.h"

namespace convoy::cli {
namespace {

constexpr size_t at_once = 16;  // images in one run of the plan

struct Flags {
  ModelFlags model;
  std::vector<std::string> images;
  std::string backend = "onednn";
  int top = 5, threads = 0;
  bool json = false;
};

struct Guess {
  int index = 0;
  double confidence = 0;
};

struct Answer {
  std::string image, error{};  // a sentence, or none
  std::vector<Guess> guesses{};
};

// The value that the loss reads.
int logits_of(const Graph& graph) { return graph.nodes.back().inputs.at(0); }

std::vector<Guess> best(std::span<const float> logits, int top) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](int a, int b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
  const double highest = logits[static_cast<size_t>(order.front())];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  std::vector<Guess> guesses;
  for (size_t i = 0; i < order.size() && i < static_cast<size_t>(top); ++i)
    guesses.push_back({order[i], std::exp(logits[static_cast<size_t>(order[i])] - highest) / sum});
  return guesses;
}

class Predictor {
 public:
  Predictor(const Model& model, const Flags& flags, size_t images)
      : transform_(transform_of(model.experiment.data)),
        top_(flags.top),
        program_(lower(model.graph, static_cast<int>(std::min(images, at_once)), {.mode = Mode::inference})),
        backend_(make_backend(flags.backend, place(alone_, {.threads = flags.threads,
                                                            .flush_denormals = flushes_denormals(
                                                                model.experiment, {flags.backend})})
                                                 .threads)),
        arena_(model.graph, program_.layout, 0, [&](size_t bytes) { return backend_->allocate(bytes); }) {
    for (const std::string& line : load_weights(model, arena_).warnings)
      fmt::print(stderr, "warning: {}\n", line);
    plan_ = backend_->compile(program_, arena_, compile_options_of(model.experiment));
    input_.resize(static_cast<size_t>(program_.images) * image_elements());
    labels_.resize(static_cast<size_t>(program_.images), -1);
    logits_.resize(static_cast<size_t>(program_.images) * outputs());
  }

  size_t batch() const { return static_cast<size_t>(program_.images); }

  // At most batch() answers, whose images are read now; those that cannot be get an error.
  void answer(std::span<Answer> answers) {
    std::ranges::fill(input_, 0.0f);
    for (size_t i = 0; i < answers.size(); ++i) answers[i].error = prepare(answers[i].image, i);
    plan_->infer({.images = input_, .labels = labels_});
    ensure(plan_->peek(Peek::value, logits_of(program_.graph), logits_));
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto logits = std::span(logits_).subspan(i * outputs(), outputs());
      if (!answers[i].error.empty()) continue;
      require(
          std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }), Exit::diverged,
          "{}: the network's outputs are not finite: these weights have diverged; take an earlier checkpoint",
          answers[i].image);
      answers[i].guesses = best(logits, top_);
    }
  }

 private:
  size_t image_elements() const { return static_cast<size_t>(program_.graph.nodes[0].shape.elements()); }
  size_t outputs() const {
    return static_cast<size_t>(
        program_.graph.nodes[static_cast<size_t>(logits_of(program_.graph))].shape.channels);
  }

  std::string prepare(const std::string& path, size_t i) {
    try {
      const std::string encoded = read_text(path);
      decode(std::as_bytes(std::span(encoded)), image_);
      prepare_held_out(image_, transform_, std::span(input_).subspan(i * image_elements(), image_elements()),
                       scratch_);
      return "";
    } catch (const std::bad_alloc&) {
      return fmt::format("{} does not fit into memory", path);
    } catch (const Error& error) {
      const std::string reason = error.what();
      return reason.find(path) == std::string::npos ? fmt::format("{}: {}", path, reason) : reason;
    }
  }

  LocalCommunicator alone_;
  Transform transform_;
  int top_;
  Program program_;
  std::unique_ptr<Backend> backend_;
  Arena arena_;
  std::unique_ptr<Plan> plan_;
  Image image_;
  Scratch scratch_;
  std::vector<float> input_, logits_;
  std::vector<int32_t> labels_;
};

nlohmann::ordered_json json_of(const Answer& answer, const Model& model) {
  using Json = nlohmann::ordered_json;
  if (!answer.error.empty()) return {{"image", answer.image}, {"error", answer.error}};
  Json guesses = Json::array();
  for (const Guess& guess : answer.guesses) {
    const auto i = static_cast<size_t>(guess.index);
    const bool known = i < model.classes.size();
    guesses.push_back({{"class", guess.index},
                       {"wnid", known ? Json(model.classes[i].wnid) : Json(nullptr)},
                       {"name", known ? Json(model.classes[i].name) : Json(nullptr)},
                       {"confidence", guess.confidence}});
  }
  return {{"image", answer.image}, {"top", guesses}};
}

void print_line(const Answer& answer, const Model& model) {
  if (!answer.error.empty()) return;
  std::string line = answer.image + ":";
  for (const Guess& guess : answer.guesses)
    line += fmt::format("{} {} {:.2f} %", &guess == answer.guesses.data() ? "" : ",",
                        model.class_name(guess.index), 100 * guess.confidence);
  fmt::print("{}\n", line);
}

int predict(const Flags& flags) {
  require(!flags.model.source.empty(), Exit::usage, "name a trained network: --run RUN or --weights FILE");
  const Model model = open_model(flags.model);
  std::vector<Answer> answers;
  for (const std::string& image : flags.images) answers.push_back({.image = image});
  Predictor predictor(model, flags, answers.size());
  bool failed = false;
  auto all = nlohmann::ordered_json::array();
  for (size_t done = 0; done < answers.size(); done += predictor.batch()) {
    const auto now = std::span(answers).subspan(done, std::min(predictor.batch(), answers.size() - done));
    predictor.answer(now);
    for (const Answer& answer : now) {
      failed |= !answer.error.empty();
      if (!answer.error.empty()) fmt::print(stderr, "convoy: {}\n", answer.error);
      if (flags.json)
        all.push_back(json_of(answer, model));
      else
        print_line(answer, model);
    }
  }
  if (flags.json)
    fmt::print("{}\n", nlohmann::ordered_json({{"network", model.graph.name}, {"images", all}})
                           .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  return static_cast<int>(failed ? Exit::failed : Exit::ok);
}

}  // namespace

void add_predict(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("predict", "what a trained network sees in images");
  set_examples(
      *command,
      {"convoy predict cat.jpg dog.jpg --run runs/first",
       "convoy predict cat.jpg --weights resnet50.safetensors --model resnet50 --classes imagenet/val"});
  command->footer(
      "An image that cannot be read is one sentence on standard error and exit code 1; the others are answered.");
  auto flags = std::make_shared<Flags>();
  command->add_option("image", flags->images, "JPEG or PNG files")->required();
  auto* run = command->add_option("--run", flags->model.source, "a run's folder: its newest checkpoint");
  run->type_name("RUN");
  command->add_option("--weights", flags->model.source, "a safetensors file or a checkpoint")
      ->type_name("FILE")
      ->excludes(run);
  add_model_flags(*command, flags->model);
  command->add_option("--top", flags->top, "classes to name")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  command->add_option("--backend", flags->backend, "what computes")->capture_default_str();
  command->add_option("--threads", flags->threads, "compute threads (default: all cores)")
      ->check(CLI::Range(0, 4096));
  command->add_flag("--json", flags->json, "one JSON object");
  command->callback([&context, flags] { context.chosen = [flags] { return predict(*flags); }; });
}

}  // namespace convoy::cli

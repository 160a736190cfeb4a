#include "train/experiment.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "train/experiment_fields.h"
#include "train/network.h"

namespace convoy {
namespace {

const std::string job = R"(name = "tiny"
[network]
model = "resnet18"
[minibatch]
workers = 8
images = 4
[train]
epochs = 2
)";

Experiment parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_experiment_text(text, "job.toml", overrides);
}

// The refusal's sentence; "" (which no test expects) if the text is taken.
std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const Error& error) {
    CHECK(error.code() == Exit::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a job file gives its values and the defaults of its choices") {
  const Experiment e = parse(job);
  CHECK(e.name == "tiny");
  CHECK(e.network.model == "resnet18");
  CHECK(e.minibatch.global() == 32);
  CHECK(e.train.epochs == 2);
  CHECK(e.optimizer.kind == "sgd");
  CHECK_FALSE(e.optimizer.decay_norm);
  CHECK(e.data.input == 224);
  CHECK(e.origins.at("network.model") == "job.toml:3");
  CHECK(parse(job, {"network.model=alexnet-bn"}).data.input == 227);
  CHECK(parse(job, {"network.model=\"alexnet-bn\""}).network.bn_epsilon == 1e-4);
}

TEST_CASE("flags override the file and are known by their origin") {
  const Experiment e =
      parse(job, {"train.epochs=5", "network.input=64", "name=other", "schedule.milestones=[1, 2.5]"});
  CHECK(e.train.epochs == 5);
  CHECK(e.network.input == 64);
  CHECK(e.data.input == 64);
  CHECK(e.name == "other");
  CHECK(e.schedule.milestones == std::vector<double>{1, 2.5});
  CHECK(e.origins.at("train.epochs") == "--set");
  CHECK(refusal(job, {"epochs"}).find("section.key=value") != std::string::npos);
  CHECK(refusal(job, {"train.epoch=3"}) == "--set: unknown key train.epoch, did you mean epochs?");
}

TEST_CASE("the LARS variants bring their own defaults, and keys override them") {
  const auto lars = [](const std::string& variant, const std::string& more = "") {
    return parse(job + "[optimizer]\nkind = \"lars\"\nvariant = \"" + variant + "\"\n" + more).optimizer;
  };
  for (const char* whole : {"paper", "caffe"}) {
    CHECK((lars(whole).decay_bias && lars(whole).decay_norm && lars(whole).adapt_bias &&
           lars(whole).adapt_norm));
    CHECK_FALSE(lars(whole).momentum_correction);
  }
  for (const char* skipping : {"mlperf", "mlperf-scaled"}) {
    const OptimizerOptions o = lars(skipping);
    CHECK_FALSE((o.decay_bias || o.decay_norm || o.adapt_bias || o.adapt_norm || o.momentum_correction));
  }
  const OptimizerOptions nvidia = lars("nvidia");
  CHECK((nvidia.decay_bias && !nvidia.decay_norm && !nvidia.adapt_bias && nvidia.momentum_correction));
  CHECK(lars("mlperf", "adapt_norm = true\n").adapt_norm);
  CHECK(parse(job + "[optimizer]\nconvention = \"inside\"\n").optimizer.momentum_correction);
}

TEST_CASE("misspelt, misplaced and unknown keys are refused with the near one and the line") {
  CHECK(refusal(job + "sed = 3\n") == "job.toml:9: unknown key train.sed, did you mean seed?");
  CHECK(refusal(job + "[optimiser]\nkind = \"sgd\"\n")
            .find("job.toml:9: unknown table optimiser, did you mean optimizer?") == 0);
  CHECK(refusal(job + "momentum = 0.9\n") ==
        "job.toml:9: unknown key train.momentum; there is optimizer.momentum");
  CHECK(refusal("nam = \"x\"\n" + job).find("job.toml:1: unknown key nam, did you mean name?") == 0);
  CHECK(refusal(job + "zzzzzzzzzzzz = 1\n").find("; known: ") != std::string::npos);
}

TEST_CASE("wrong types and ranges name key, value and line") {
  CHECK(refusal(job + "seed = \"1\"\n") == "job.toml:9: train.seed = \"1\" must be a whole number");
  CHECK(refusal(job + "seed = 1.5\n") == "job.toml:9: train.seed = 1.5 must be a whole number");
  CHECK(refusal(job + "seed = -1\n") == "job.toml:9: train.seed = -1 must be at least 0");
  CHECK(refusal(job + "[optimizer]\nmomentum = 1.0\n") ==
        "job.toml:10: optimizer.momentum = 1 must be at least 0 and below 1");
  CHECK(refusal(job + "[optimizer]\nnesterov = 1\n").find("must be true or false") != std::string::npos);
  CHECK(refusal(job + "[optimizer]\nmomentum = nan\n").find("must be a finite number") != std::string::npos);
  CHECK(refusal(job + "[schedule]\nkind = \"pooly\"\n").find("did you mean \"poly\"?") != std::string::npos);
  CHECK(refusal(job + "[data]\nmean = [1, 2]\n").find("must have 3 numbers") != std::string::npos);
  CHECK(refusal(job + "[data]\nmean = 1\n").find("must be a list of numbers") != std::string::npos);
  CHECK(refusal(job + "[schedule\n").find("job.toml:9: ") == 0);
  CHECK(refusal("network = 3\n" + job.substr(0, 0)).find("network must be a table") != std::string::npos);
}

TEST_CASE("keys that the chosen parts do not read are refused") {
  CHECK(refusal(job + "[optimizer]\ntrust = 0.001\n") ==
        "job.toml:10: optimizer.trust would have no effect: only optimizer.kind = \"lars\" reads it; take it "
        "out");
  CHECK(refusal(job + "[schedule]\npower = 2\n").find("only schedule.kind = \"poly\" reads it") !=
        std::string::npos);
  CHECK(refusal(job, {"network.dropout=0.1"}).find("only an AlexNet reads it") != std::string::npos);
  CHECK(refusal(job, {"network.model=alexnet", "network.stem=small"}).find("only a ResNet") !=
        std::string::npos);
  CHECK(refusal(job + "[optimizer]\nmomentum_correction = true\n").find("rate inside the velocity") !=
        std::string::npos);
  CHECK(refusal(job + "[schedule]\nwarmup_from = 0.1\n").find("warmup_epochs or warmup_steps") !=
        std::string::npos);
}

TEST_CASE("batch norm's keys: what evaluation uses, groups within a worker and across workers") {
  const auto norm = [](const std::vector<std::string>& overrides) {
    return norm_of(parse(job, overrides).network, true);
  };
  CHECK((norm({}).keep == 0.9f && !norm({}).first_worker && norm({}).group == 0));
  const BatchNorm first = norm({"network.bn_evaluation=first-worker", "network.bn_keep=0.5"});
  CHECK((first.first_worker && first.keep == 0.5f));
  const BatchNorm last = norm({"network.bn_evaluation=last-minibatch"});
  CHECK((!last.first_worker && last.keep == 0.0f));
  CHECK(norm({"network.bn_group=2"}).group == 2);
  CHECK(refusal(job, {"network.bn_evaluation=last-minibatch", "network.bn_keep=0.9"}) ==
        "--set: network.bn_keep would have no effect: only network.bn_evaluation = \"average\" or "
        "\"first-worker\" "
        "reads it; take it out");
  CHECK(refusal(job, {"network.bn_evaluation=last"}).find("known: average, first-worker, last-minibatch") !=
        std::string::npos);
  for (const char* key : {"network.bn_evaluation=average", "network.bn_group=2", "network.bn_keep=0.5"})
    CHECK(refusal(job, {"network.model=alexnet", key}).find("only a network with batch norm reads it") !=
          std::string::npos);

  // 8 workers of 4 images
  const auto runs = [](const std::string& group) {
    const Experiment e = parse(job, {"network.bn_group=" + group});
    CHECK(runs_of(e).workers * workers_together(e) == 8);
    CHECK(runs_of(e).images == 4 * workers_together(e));
    return workers_together(e);
  };
  for (const char* within : {"0", "1", "2", "4"}) CHECK(runs(within) == 1);
  CHECK(runs("8") == 2);
  CHECK(runs("32") == 8);
  CHECK(refusal(job, {"network.bn_group=3"}) ==
        "job.toml: network.bn_group 3 must divide minibatch.images 4, or be a multiple of it");
  CHECK(refusal(job, {"network.bn_group=6"}).find("multiple of it") != std::string::npos);
  CHECK(refusal(job, {"network.bn_group=12"}) ==
        "job.toml: network.bn_group 12 takes 3 workers of 4 images together, which does not divide "
        "minibatch.workers 8");
}

TEST_CASE("contradictions are refused") {
  CHECK(refusal(job + "steps = 3\n").find("one of train.epochs and train.steps") != std::string::npos);
  CHECK(refusal(job, {"train.epochs=0"}).find("say how long to train") != std::string::npos);
  CHECK(refusal(job, {"schedule.warmup_epochs=1", "schedule.warmup_steps=1"}).find("not both") !=
        std::string::npos);
  CHECK(refusal(job, {"data.min_area=0.9", "data.max_area=0.5"}).find("above data.max_area") !=
        std::string::npos);
  CHECK(refusal(job, {"schedule.milestones=[3, 2]"}).find("ascend") != std::string::npos);
  CHECK(refusal(job, {"network.classes=1"}).find("nothing to learn") != std::string::npos);
}

TEST_CASE("the resolved form parses back to the same experiment and says where values came from") {
  const Experiment e = parse(job + "[published]\ntop1 = 0.749\n[published.machine]\nranks = 1024\n",
                             {"optimizer.kind=lars", "optimizer.variant=caffe", "schedule.kind=poly"});
  const std::string text = resolved_toml(e);
  CHECK(text.find("# job.toml:3") != std::string::npos);
  CHECK(text.find("# --set") != std::string::npos);
  CHECK(text.find("# default") != std::string::npos);
  CHECK(text.find("top1 = 0.749") != std::string::npos);
  const Experiment again = parse(text);
  CHECK(arithmetic(again, {}, {}) == arithmetic(e, {}, {}));
  CHECK(again.published_json == e.published_json);
}

TEST_CASE("the hash covers the arithmetic and nothing else") {
  const DatasetFacts train{"a", "f1", 100, 10}, moved{"b", "f1", 100, 10}, other{"a", "f2", 100, 10}, none;
  const std::string base = hash(parse(job), train, none);
  for (const char* same : {"name=x", "description=x", "train.evaluate_every=0", "train.bucket_mib=1",
                           "data.train=/elsewhere", "network.model=resnet18"})
    CHECK(hash(parse(job, {same}), train, none) == base);
  CHECK(hash(parse(job), moved, none) == base);
  CHECK(hash(parse(job), other, none) != base);
  CHECK(hash(parse(job), train, other) != base);
  Experiment e = parse(job);
  int changed = 0;
  visit_fields(e, [&](const Field& field) {  // every key that counts changes the hash
    if (!field.arithmetic || !field.unread.empty()) return;
    Experiment copy = e;
    visit_fields(copy, [&](const Field& other_field) {
      if (other_field.name() != field.name()) return;
      std::visit(
          [](auto* value) {
            using T = std::remove_cvref_t<decltype(*value)>;
            if constexpr (std::is_same_v<T, std::string>) *value = "changed";
            if constexpr (std::is_same_v<T, bool>) *value = !*value;
            if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) *value += 1;
            if constexpr (std::is_same_v<T, std::vector<double>>) value->push_back(99);
            if constexpr (std::is_same_v<T, std::array<double, 3>>) (*value)[1] += 1;
          },
          other_field.slot);
    });
    INFO(field.name());
    CHECK(hash(copy, train, none) != base);
    ++changed;
  });
  CHECK(changed > 30);
}

}  // namespace convoy

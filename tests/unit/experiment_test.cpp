#include "train/experiment.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <set>

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
  CHECK(refusal(job, {"train.epoch=3"}) == "--set: unknown key train.epoch: did you mean train.epochs?");
}

TEST_CASE("the LARS variants bring their own defaults, and keys override them") {
  const auto lars = [](const std::string& variant, const std::string& more = "") {
    return parse(job + "[optimizer]\nkind = \"lars\"\nvariant = \"" + variant + "\"\n" + more).optimizer;
  };
  for (const char* whole :
       {"paper", "caffe", "nvcaffe-larc-scale", "nvcaffe-larc-clip", "larc-scale", "larc-clip"}) {
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
  CHECK(lars("intel-caffe").momentum_correction);
  CHECK(lars("paper").trust == 0.001);
  CHECK(lars("larc-clip").trust == 0.02);
  CHECK(lars("larc-clip").epsilon == 1e-8);
  CHECK(lars("larc-clip", "trust = 0.001\nepsilon = 0\n").epsilon == 0.0);
  const OptimizerOptions akiba = parse(job + "[optimizer]\nkind = \"rmsprop-warmup\"\n").optimizer;
  CHECK((akiba.decay_bias && !akiba.decay_norm && akiba.epsilon == 1e-8));
  CHECK(parse(job + "[optimizer]\nconvention = \"inside\"\n").optimizer.momentum_correction);
}

TEST_CASE("misspelt, misplaced and unknown keys are refused with the near one and the line") {
  CHECK(refusal(job + "sed = 3\n") == "job.toml:9: unknown key train.sed: did you mean train.seed?");
  CHECK(refusal(job + "[optimiser]\nkind = \"sgd\"\n")
            .find("job.toml:10: unknown key optimiser.kind: did you mean optimizer.kind?") == 0);
  CHECK(refusal(job + "momentum = 0.9\n") ==
        "job.toml:9: unknown key train.momentum: did you mean optimizer.momentum?");
  CHECK(refusal("nam = \"x\"\n" + job).find("job.toml:1: unknown key nam: did you mean name?") == 0);
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

TEST_CASE("the keys of the optimizers, variants and schedules are refused where another is chosen") {
  const auto read = [](const std::string& what, const std::string& key) {
    return refusal(job, {what, key}).find("would have no effect") == std::string::npos;
  };
  const std::string sgd = "optimizer.kind=sgd", lars = "optimizer.kind=lars",
                    akiba = "optimizer.kind=rmsprop-warmup";
  for (const char* key : {"mu2=0.9", "eta_rmsprop=1", "beta_center=1", "beta_period=1", "transition=literal",
                          "alpha_per=iteration"}) {
    const std::string name = std::string("optimizer.") + key;
    INFO(name);
    CHECK((!read(sgd, name) && !read(lars, name) && read(akiba, name)));
  }
  for (const char* key : {"variant=caffe", "trust=1", "adapt_bias=true", "adapt_norm=true"}) {
    const std::string name = std::string("optimizer.") + key;
    INFO(name);
    CHECK((!read(sgd, name) && read(lars, name) && !read(akiba, name)));
  }
  CHECK((!read(sgd, "optimizer.epsilon=1") && read(lars, "optimizer.epsilon=1") &&
         read(akiba, "optimizer.epsilon=1")));
  CHECK((read(sgd, "optimizer.nesterov=true") && !read(akiba, "optimizer.nesterov=true")));
  CHECK((read(sgd, "optimizer.convention=inside") && !read(lars, "optimizer.convention=inside") &&
         !read(akiba, "optimizer.convention=inside")));
  const auto corrects = [](const std::string& variant) {
    return refusal(job, {"optimizer.kind=lars", "optimizer.variant=" + variant,
                         "optimizer.momentum_correction=true"})
        .empty();
  };
  for (const char* inside :
       {"paper", "caffe", "intel-caffe", "nvcaffe-larc-scale", "nvcaffe-larc-clip", "mlperf", "nvidia"})
    CHECK(corrects(inside));
  for (const char* outside : {"mlperf-scaled", "larc-scale", "larc-clip"}) CHECK_FALSE(corrects(outside));
  CHECK_FALSE(read(akiba, "optimizer.momentum_correction=true"));
  CHECK((!read(sgd, "schedule.warmup=quadratic") &&
         read("schedule.warmup_steps=2", "schedule.warmup=quadratic")));
  CHECK((read(sgd, "schedule.factors=[1, 2, 3, 4]") &&
         !read("schedule.kind=poly", "schedule.factors=[1, 2, 3, 4]")));
  CHECK_FALSE(read("schedule.factors=[1, 2, 3, 4]", "schedule.factor=0.5"));  // one or the other
  CHECK((!read(sgd, "schedule.allow_large_rate=true") &&
         read("schedule.per_images=256", "schedule.allow_large_rate=true")));
}

TEST_CASE("keys younger than a job leave its hash as it was") {
  const std::string lines = arithmetic(parse(job, {"schedule.warmup_steps=2"}), {}, {});
  CHECK(lines.find("schedule.warmup_steps = 2\n") != std::string::npos);
  CHECK(lines.find("schedule.warmup = ") == std::string::npos);
  CHECK(lines.find("schedule.factors") == std::string::npos);
  const std::string changed =
      arithmetic(parse(job, {"schedule.warmup_steps=2", "schedule.warmup=quadratic"}), {}, {});
  CHECK(changed.find("schedule.warmup = \"quadratic\"\n") != std::string::npos);
}

TEST_CASE("a rate that is scaled twice is caught, with both readings and the key that silences it") {
  const std::vector<std::string> goyal{"minibatch.workers=256", "minibatch.images=32",
                                       "schedule.per_images=256"};
  const auto with = [](std::vector<std::string> sets, const std::vector<std::string>& more) {
    sets.insert(sets.end(), more.begin(), more.end());
    return refusal(job, sets);
  };
  CHECK(with(goyal, {"schedule.rate=0.1"}).empty());
  CHECK(with(goyal, {"schedule.rate=0.2"}).empty());
  const std::string twice = with(goyal, {"schedule.rate=3.2"});
  CHECK(
      twice.find("schedule.rate = 3.2 may be scaled twice: read as the rate for 256 images it becomes 3.2 x "
                 "8192/256 = 102.4 for the minibatch of 8192; if 3.2 is already the rate for 8192 images") !=
      std::string::npos);
  CHECK(twice.find("schedule.allow_large_rate = true") != std::string::npos);
  CHECK(with(goyal, {"schedule.rate=3.2", "schedule.allow_large_rate=true"}).empty());
  CHECK(with(goyal, {"schedule.rate=3.2", "optimizer.kind=rmsprop-warmup"}) == twice);
  CHECK(with({"minibatch.workers=256", "minibatch.images=32"}, {"schedule.rate=3.2"}).empty());
  CHECK(with(goyal, {"schedule.rate=3.2", "optimizer.momentum=0"}).empty());  // a step of rate/(1-momentum)
  CHECK_FALSE(with(goyal, {"schedule.rate=0.1", "optimizer.momentum=0.99"}).empty());
  CHECK(with(goyal, {"schedule.rate=0.03", "optimizer.momentum=0.99"}).empty());
  // LARS: published rates are for the minibatch, and are seen through the trust.
  const std::vector<std::string> you{"minibatch.workers=1024", "minibatch.images=32", "optimizer.kind=lars"};
  CHECK(with(you, {"schedule.rate=32"}).empty());
  CHECK(with(you, {"schedule.rate=32", "schedule.per_images=256"}).find("= 4096 for") != std::string::npos);
  CHECK(with(you, {"schedule.rate=0.25", "schedule.per_images=256"}).empty());
}

TEST_CASE("warm-ups and factors that cannot be are refused") {
  CHECK(refusal(job, {"schedule.factors=[1, 2]"}).find("needs 4 numbers") != std::string::npos);
  CHECK(refusal(job, {"schedule.warmup_steps=2", "schedule.warmup=constant"}).find("would not train") !=
        std::string::npos);
  CHECK(refusal(job, {"schedule.warmup_steps=2", "optimizer.kind=rmsprop-warmup"})
            .find("divides by the rate") != std::string::npos);
  CHECK(refusal(job, {"optimizer.epsilon=0", "optimizer.kind=rmsprop-warmup"}).find("must be above 0") !=
        std::string::npos);
}

TEST_CASE("the wire of the allreduce: formats, a scale that is a power of two, and f32's old hash") {
  const std::string refused = refusal(job + "[allreduce]\nscale = 2\n");
  CHECK(refused.find("only allreduce.wire = \"fp16\" or \"bf16\" reads it") != std::string::npos);
  CHECK(refusal(job, {"allreduce.wire=fp8"}).find("known: f32, fp16, bf16") != std::string::npos);
  for (const char* scale : {"3.0", "0.3", "1e-30", "1e30"})
    CHECK(refusal(job, {"allreduce.wire=fp16", std::string("allreduce.scale=") + scale})
              .find("must be a power of two from 2^-60 to 2^60") != std::string::npos);
  const Experiment e = parse(job, {"allreduce.wire=fp16", "allreduce.scale=0.0009765625"});
  CHECK(e.allreduce.wire == "fp16");
  CHECK(e.allreduce.scale == 0x1p-10);
  CHECK(arithmetic(parse(job), {}, {}).find("allreduce") == std::string::npos);
  std::vector<std::string> hashes;
  for (const std::vector<std::string>& wire :
       std::vector<std::vector<std::string>>{{},
                                             {"allreduce.wire=fp16"},
                                             {"allreduce.wire=bf16"},
                                             {"allreduce.wire=fp16", "allreduce.scale=2"}})
    hashes.push_back(hash(parse(job, wire), {}, {}));
  CHECK(hashes[0] == hash(parse(job, {"allreduce.wire=f32"}), {}, {}));
  for (size_t i = 1; i < hashes.size(); ++i)
    CHECK(std::find(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(i), hashes[i]) ==
          hashes.begin() + static_cast<std::ptrdiff_t>(i));
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
  CHECK(refusal(job + "[schedule]\nwarmup_epochs = 1\nwarmup_steps = 1\n").find("not both") !=
        std::string::npos);
  CHECK(parse(job, {"train.steps=3"}).train.epochs ==
        0);  // a flag's word puts the file's other one out of force
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

namespace {

// Another value: one that may be chosen, or of the right type, whether or not it would be legal.
void change(const Field& field) {
  std::visit(
      [&](auto* value) {
        using T = std::remove_cvref_t<decltype(*value)>;
        if constexpr (std::is_same_v<T, std::string>)
          *value = field.choices.empty() ? "other" : field.choices.at(*value == field.choices[0]);
        if constexpr (std::is_same_v<T, std::filesystem::path>) *value = "/elsewhere";
        if constexpr (std::is_same_v<T, bool>) *value = !*value;
        if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) *value += 1;
        if constexpr (std::is_same_v<T, std::vector<double>>) value->push_back(99);
        if constexpr (std::is_same_v<T, std::array<double, 3>>) (*value)[1] += 1;
      },
      field.slot);
}

}  // namespace

TEST_CASE("the hash covers every key that changes the arithmetic, and no other") {
  // Where a run finds its images, when it looks at its accuracy, how its sums are cut, what it does not warn about.
  const std::set<std::string> outside{
      "data.train",    "data.held_out", "train.evaluate_every",     "train.bucket_mib",
      "train.weights", "train.fresh",   "schedule.allow_large_rate"};
  const std::vector<std::vector<std::string>> jobs{
      {"network.model=resnet50", "schedule.kind=poly", "schedule.warmup_steps=2"},
      {"network.model=alexnet-bn", "optimizer.kind=lars", "optimizer.variant=caffe",
       "schedule.per_images=256"},
      {"optimizer.kind=rmsprop-warmup", "optimizer.epsilon=1e-8", "allreduce.wire=fp16",
       "precision.activations=fp16"},
      {"optimizer.convention=inside", "network.bn_evaluation=last-minibatch", "schedule.kind=cosine",
       "train.weights=/a/w", "train.weights_xxh3=\"" + std::string(32, 'a') + '"'}};
  const DatasetFacts train{"a", "f1", 100, 10}, none;
  std::set<std::string> all, read;
  for (const auto& sets : jobs) {
    const Experiment e = parse(job, sets);
    const std::string base = hash(e, train, none);
    Experiment walked = e;
    visit_fields(walked, [&](const Field& field) {
      INFO(field.name());
      all.insert(field.name());
      if (field.unread.empty()) read.insert(field.name());
      Experiment copy = e;
      visit_fields(copy, [&](const Field& other) {
        if (other.name() == field.name()) change(other);
      });
      const bool counts = field.unread.empty() && !outside.contains(field.name());
      CHECK((hash(copy, train, none) != base) == counts);
    });
  }
  CHECK(all.size() > 60);
  for (const std::string& key : all) {
    INFO(key << " is read by none of the jobs above: add one that does");
    CHECK(read.contains(key));
  }
}

TEST_CASE("initial weights count by what they are, not by where they lie") {
  const std::string digest = "train.weights_xxh3=\"" + std::string(32, 'a') + '"';
  const std::string base = hash(parse(job), {}, {});
  CHECK(arithmetic(parse(job), {}, {}).find("weights") ==
        std::string::npos);  // jobs without them keep their hash
  CHECK(resolved_toml(parse(job)).find("weights") == std::string::npos);
  const Experiment e = parse(job, {"train.weights=/a/w", digest});
  CHECK(hash(e, {}, {}) != base);
  CHECK(hash(parse(job, {"train.weights=/b/w", "train.fresh=fc", digest}), {}, {}) == hash(e, {}, {}));
  CHECK(hash(parse(job, {"train.weights=/a/w", "train.weights_xxh3=\"" + std::string(32, 'b') + '"'}), {},
             {}) != hash(e, {}, {}));
  CHECK(hash(parse(resolved_toml(e)), {}, {}) == hash(e, {}, {}));
  CHECK(refusal(job, {digest}).find("only train.weights reads it") != std::string::npos);
  CHECK(refusal(job, {"train.fresh=fc"}).find("only train.weights reads it") != std::string::npos);
  CHECK(refusal(job, {"train.weights=/a/w", "train.weights_xxh3=abc"}).find("32 hexadecimal digits") !=
        std::string::npos);
}

TEST_CASE("the hash covers the images, and neither names nor places") {
  const DatasetFacts train{"a", "f1", 100, 10}, moved{"b", "f1", 100, 10}, other{"a", "f2", 100, 10}, none;
  const std::string base = hash(parse(job), train, none);
  for (const char* same : {"name=x", "description=x", "train.evaluate_every=0", "train.bucket_mib=1",
                           "data.train=/elsewhere", "network.model=resnet18"})
    CHECK(hash(parse(job, {same}), train, none) == base);
  CHECK(hash(parse(job), moved, none) == base);
  CHECK(hash(parse(job), other, none) != base);
  CHECK(hash(parse(job), train, other) != base);
}

}  // namespace convoy

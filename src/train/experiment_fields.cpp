#include "train/experiment_fields.h"

#include <fmt/format.h>

#include <cmath>

#include "train/optimizer.h"
#include "train/rate_check.h"

namespace convoy {
namespace {

constexpr double most_epochs = 1e9;  // of as many images, still a number of steps

Range at_least(double low) { return {.low = low}; }
Range above(double low) { return {.low = low, .low_open = true}; }
Range fraction() { return {.low = 0.0, .high = 1.0, .high_open = true}; }  // [0, 1)
Range share() { return {.low = 0.0, .high = 1.0, .low_open = true}; }      // (0, 1]

std::string unless(bool read, const char* by) { return read ? "" : by; }

using Visit = std::function<void(const Field&)>;

void visit_network(NetworkOptions& n, const Visit& visit) {
  visit({.section = "network",
         .key = "model",
         .slot = &n.model,
         .choices = {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "alexnet", "alexnet-bn",
                     "alexnet-torchvision"},
         .selects = true});
  const bool resnet = n.model.starts_with("resnet"), norm = resnet || n.model == "alexnet-bn";
  const std::string of_resnet = unless(resnet, "a ResNet"), of_alexnet = unless(!resnet, "an AlexNet");
  const std::string of_norm = unless(norm, "a network with batch norm");
  visit({"network", "variant", &n.variant, {}, {"v1.5", "v1"}, of_resnet});
  visit({"network", "stem", &n.stem, {}, {"imagenet", "small"}, of_resnet});
  visit({"network", "width", &n.width, {.low = 1, .high = 4096}, {}, of_resnet});
  visit({"network", "input", &n.input, {.low = 8, .high = 4096}});
  visit({"network", "classes", &n.classes, {.low = 0, .high = 65536}});
  visit({"network", "zero_gamma", &n.zero_gamma, {}, {}, of_resnet});
  visit({"network", "bn_epsilon", &n.bn_epsilon, above(0), {}, of_norm});
  visit({.section = "network",
         .key = "bn_evaluation",
         .slot = &n.bn_evaluation,
         .choices = {"average", "first-worker", "last-minibatch"},
         .unread = of_norm,
         .absent = "\"average\""});
  const bool averages = n.bn_evaluation != "last-minibatch";
  const std::string of_average = unless(averages, "network.bn_evaluation = \"average\" or \"first-worker\"");
  visit({"network", "bn_keep", &n.bn_keep, fraction(), {}, norm ? of_average : of_norm});
  visit({"network", "bn_unbiased", &n.bn_unbiased, {}, {}, of_norm});
  visit({.section = "network",
         .key = "bn_group",
         .slot = &n.bn_group,
         .range = {.low = 0, .high = 1 << 20},
         .unread = of_norm,
         .absent = "0"});
  visit({"network", "label_smoothing", &n.label_smoothing, fraction()});
  visit({"network", "dropout", &n.dropout, fraction(), {}, of_alexnet});
}

void visit_data(InputOptions& d, const Visit& visit) {
  visit({.section = "data", .key = "train", .slot = &d.train, .arithmetic = false});
  visit({.section = "data", .key = "held_out", .slot = &d.held_out, .arithmetic = false});
  visit({"data", "train_crop", &d.train_crop, {}, {"random-resized", "random", "center"}});
  visit({"data", "resize", &d.resize, {.low = 8, .high = 8192}});
  visit({"data", "squash", &d.squash});
  visit({"data", "mirror", &d.mirror, {}, {}, unless(d.train_crop != "center", "a random data.train_crop")});
  const std::string resized =
      unless(d.train_crop == "random-resized", "data.train_crop = \"random-resized\"");
  visit({"data", "min_area", &d.min_area, share(), {}, resized});
  visit({"data", "max_area", &d.max_area, share(), {}, resized});
  visit({"data", "min_ratio", &d.min_ratio, above(0), {}, resized});
  visit({"data", "max_ratio", &d.max_ratio, above(0), {}, resized});
  visit({"data", "mean", &d.mean});
  visit({"data", "std", &d.std, above(0)});
  visit({"data", "scale", &d.scale, above(0)});
  visit({"data", "order", &d.order, {}, {"rgb", "bgr"}});
}

void visit_train(TrainOptions& t, const Visit& visit) {
  visit({"train", "epochs", &t.epochs, {.low = 0, .high = most_epochs}});
  visit({"train", "steps", &t.steps, at_least(0)});
  visit({"train", "seed", &t.seed, at_least(0)});
  visit({.section = "train",
         .key = "evaluate_every",
         .slot = &t.evaluate_every,
         .range = at_least(0),
         .arithmetic = false});
  visit({.section = "train",
         .key = "bucket_mib",
         .slot = &t.bucket_mib,
         .range = {.low = 0, .high = 1 << 20, .low_open = true},
         .arithmetic = false});
  visit({.section = "train",
         .key = "on_nonfinite",
         .slot = &t.on_nonfinite,
         .choices = {"stop", "skip", "roll-back"},
         .arithmetic = t.on_nonfinite == "skip"});
  visit({.section = "train", .key = "weights", .slot = &t.weights, .arithmetic = false, .absent = "\"\""});
  const std::string of_weights = unless(!t.weights.empty(), "train.weights");
  visit({.section = "train", .key = "fresh", .slot = &t.fresh, .unread = of_weights, .arithmetic = false});
  visit({.section = "train",
         .key = "weights_xxh3",
         .slot = &t.weights_xxh3,
         .unread = of_weights,
         .absent = "\"\""});
}

void visit_optimizer(OptimizerOptions& o, const Visit& visit) {
  visit({.section = "optimizer",
         .key = "kind",
         .slot = &o.kind,
         .choices = {"sgd", "lars", "rmsprop-warmup"},
         .selects = true});
  const bool sgd = o.kind == "sgd", lars = o.kind == "lars", rmsprop = o.kind == "rmsprop-warmup";
  const std::string of_lars = unless(lars, "optimizer.kind = \"lars\""),
                    of_sgd = unless(sgd, "optimizer.kind = \"sgd\""),
                    of_rmsprop = unless(rmsprop, "optimizer.kind = \"rmsprop-warmup\"");
  visit({.section = "optimizer",
         .key = "variant",
         .slot = &o.variant,
         .choices = lars_variants(),
         .unread = of_lars,
         .selects = true});
  visit({.section = "optimizer",
         .key = "convention",
         .slot = &o.convention,
         .choices = {"outside", "inside"},
         .unread = of_sgd,
         .selects = true});
  visit({"optimizer", "momentum", &o.momentum, fraction()});
  visit({"optimizer",
         "nesterov",
         &o.nesterov,
         {},
         {},
         unless(!rmsprop, "optimizer.kind = \"sgd\" or \"lars\"")});
  visit({"optimizer",
         "momentum_correction",
         &o.momentum_correction,
         {},
         {},
         unless(rate_is_inside(o), "an optimizer with the rate inside the velocity")});
  visit({"optimizer", "weight_decay", &o.weight_decay, at_least(0)});
  visit({"optimizer", "decay_bias", &o.decay_bias});
  visit({"optimizer", "decay_norm", &o.decay_norm});
  visit({"optimizer", "trust", &o.trust, above(0), {}, of_lars});
  visit({"optimizer",
         "epsilon",
         &o.epsilon,
         rmsprop ? above(0) : at_least(0),
         {},
         unless(!sgd, "optimizer.kind = \"lars\" or \"rmsprop-warmup\"")});
  visit({"optimizer", "adapt_bias", &o.adapt_bias, {}, {}, of_lars});
  visit({"optimizer", "adapt_norm", &o.adapt_norm, {}, {}, of_lars});
  visit({"optimizer", "mu2", &o.mu2, fraction(), {}, of_rmsprop});
  visit({"optimizer", "eta_rmsprop", &o.eta_rmsprop, above(0), {}, of_rmsprop});
  visit({"optimizer", "beta_center", &o.beta_center, at_least(0), {}, of_rmsprop});
  visit({"optimizer", "beta_period", &o.beta_period, above(0), {}, of_rmsprop});
  visit({"optimizer", "transition", &o.transition, {}, {"continuous", "literal"}, of_rmsprop});
  visit({"optimizer", "alpha_per", &o.alpha_per, {}, {"epoch", "iteration"}, of_rmsprop});
}

void visit_schedule(ScheduleOptions& s, const Visit& visit) {
  visit({"schedule", "kind", &s.kind, {}, {"step", "poly", "cosine", "constant"}});
  const std::string of_step = unless(s.kind == "step", "schedule.kind = \"step\"");
  const std::string of_poly = unless(s.kind == "poly", "schedule.kind = \"poly\"");
  const std::string of_decay =
      unless(s.kind == "poly" || s.kind == "cosine", "schedule.kind = \"poly\" or \"cosine\"");
  visit({"schedule", "rate", &s.rate, above(0)});
  visit({"schedule", "per_images", &s.per_images, at_least(0)});
  visit({.section = "schedule",
         .key = "allow_large_rate",
         .slot = &s.allow_large_rate,
         .unread = unless(s.per_images > 0, "a schedule with per_images"),
         .arithmetic = false});
  visit({"schedule", "warmup_epochs", &s.warmup_epochs, {.low = 0, .high = most_epochs}});
  visit({"schedule", "warmup_steps", &s.warmup_steps, at_least(0)});
  const std::string of_warmup =
      unless(s.warmup_epochs > 0 || s.warmup_steps > 0, "a schedule with warmup_epochs or warmup_steps");
  visit({.section = "schedule",
         .key = "warmup",
         .slot = &s.warmup,
         .choices = {"linear", "constant", "quadratic"},
         .unread = of_warmup,
         .absent = "\"linear\""});
  visit({"schedule", "warmup_from", &s.warmup_from, at_least(0), {}, of_warmup});
  visit({"schedule", "milestones", &s.milestones, above(0), {}, of_step});
  visit({.section = "schedule",
         .key = "factors",
         .slot = &s.factors,
         .range = above(0),
         .unread = of_step,
         .absent = "[]"});
  visit({"schedule",
         "factor",
         &s.factor,
         above(0),
         {},
         unless(s.kind == "step" && s.factors.empty(), "schedule.kind = \"step\" without factors")});
  visit({"schedule", "power", &s.power, above(0), {}, of_poly});
  visit({"schedule", "end_rate", &s.end_rate, at_least(0), {}, of_decay});
  visit({"schedule", "decay", &s.decay, {}, {"shifted", "continued"}, of_decay});
}

void visit_allreduce(AllreduceOptions& a, const Visit& visit) {
  visit({.section = "allreduce",
         .key = "wire",
         .slot = &a.wire,
         .choices = {"f32", "fp16", "bf16"},
         .absent = "\"f32\""});
  visit({"allreduce",
         "scale",
         &a.scale,
         above(0),
         {},
         unless(a.wire != "f32", "allreduce.wire = \"fp16\" or \"bf16\"")});
}

void visit_precision(PrecisionOptions& p, const Visit& visit) {
  visit({.section = "precision",
         .key = "activations",
         .slot = &p.activations,
         .choices = {"f32", "tf32", "bf16", "fp16"},
         .absent = "\"f32\""});
  visit({.section = "precision",
         .key = "convolutions",
         .slot = &p.convolutions,
         .choices = {"direct", "winograd"},
         .unread = unless(p.activations == "f32", "precision.activations = \"f32\""),
         .absent = "\"direct\""});
  visit({.section = "precision",
         .key = "denormals",
         .slot = &p.denormals,
         .choices = {"flush", "keep"},
         .absent = "\"keep\""});
  const std::string of_fp16 = unless(p.activations == "fp16", "precision.activations = \"fp16\"");
  visit({"precision", "loss_scale", &p.loss_scale, at_least(0), {}, of_fp16});
  visit({"precision",
         "growth_steps",
         &p.growth_steps,
         {.low = 1},
         {},
         !of_fp16.empty() ? of_fp16 : unless(p.loss_scale == 0, "precision.loss_scale = 0")});
}

bool is_power_of_two(double value, int most) {
  int exponent = 0;
  return std::frexp(value, &exponent) == 0.5 && std::abs(exponent - 1) <= most;
}

}  // namespace

void visit_fields(Experiment& e, const Visit& visit) {
  visit_network(e.network, visit);
  visit_data(e.data, visit);
  visit({"minibatch", "workers", &e.minibatch.workers, {.low = 1, .high = 1 << 20}});
  visit({"minibatch", "images", &e.minibatch.images, {.low = 1, .high = 1 << 16}});
  visit_train(e.train, visit);
  visit_optimizer(e.optimizer, visit);
  visit_schedule(e.schedule, visit);
  visit_allreduce(e.allreduce, visit);
  visit_precision(e.precision, visit);
}

void defaults_of_choices(Experiment& e) {
  if (e.network.model == "alexnet" || e.network.model == "alexnet-bn") e.network.input = 227;
  if (e.network.model == "alexnet-bn") e.network.bn_epsilon = 1e-4;
  set_variant_defaults(e.optimizer);
}

std::string misfit(const Experiment& e) {
  const auto& t = e.train;
  if ((t.epochs > 0) == (t.steps > 0))
    return "say how long to train: one of train.epochs and train.steps, above 0";
  if (t.weights_xxh3.size() % 32 != 0 || t.weights_xxh3.size() > 32 ||
      t.weights_xxh3.find_first_not_of("0123456789abcdef") != std::string::npos)
    return "train.weights_xxh3 is a digest of 32 hexadecimal digits, as `convoy train` writes it";
  const int group = e.network.bn_group, images = e.minibatch.images, workers = e.minibatch.workers;
  if (group > 0 && images % group != 0 && group % images != 0)
    return fmt::format("network.bn_group {} must divide minibatch.images {}, or be a multiple of it", group,
                       images);
  if (group > images && workers % (group / images) != 0)
    return fmt::format(
        "network.bn_group {} takes {} workers of {} images together, which does not divide minibatch.workers "
        "{}",
        group, group / images, images, workers);
  const auto& s = e.schedule;
  if (s.warmup_epochs > 0 && s.warmup_steps > 0)
    return "give schedule.warmup_epochs or schedule.warmup_steps, not both";
  for (size_t i = 1; i < s.milestones.size(); ++i)
    if (s.milestones[i] <= s.milestones[i - 1]) return "schedule.milestones must ascend";
  if (s.kind == "step" && !s.factors.empty() && s.factors.size() != s.milestones.size() + 1)
    return fmt::format(
        "schedule.factors needs {} numbers, for the start and after each of the {} milestones; it has {}",
        s.milestones.size() + 1, s.milestones.size(), s.factors.size());
  const bool warms = s.warmup_epochs > 0 || s.warmup_steps > 0;
  if (warms && s.warmup_from == 0 && s.warmup == "constant")
    return "schedule.warmup = \"constant\" at schedule.warmup_from = 0 would not train: give the rate of the "
           "warm-up";
  if (warms && s.warmup_from == 0 && e.optimizer.kind == "rmsprop-warmup")
    return "optimizer.kind = \"rmsprop-warmup\" divides by the rate: give schedule.warmup_from above 0, or "
           "no warm-up";
  if (const std::string doubt = rate_doubt(e); !doubt.empty()) return doubt;
  const auto& d = e.data;
  if (d.min_area > d.max_area)
    return fmt::format("data.min_area {} is above data.max_area {}", d.min_area, d.max_area);
  if (d.min_ratio > d.max_ratio)
    return fmt::format("data.min_ratio {} is above data.max_ratio {}", d.min_ratio, d.max_ratio);
  if (d.resize < e.network.input && d.train_crop != "random-resized")
    return fmt::format("data.resize {} is below network.input {}: a crop would not fit", d.resize,
                       e.network.input);
  if (!is_power_of_two(e.allreduce.scale, 60))
    return fmt::format(
        "allreduce.scale {} must be a power of two from 2^-60 to 2^60, so that scaling is exact",
        e.allreduce.scale);
  if (e.precision.loss_scale != 0 && !is_power_of_two(e.precision.loss_scale, 24))
    return fmt::format(
        "precision.loss_scale {} must be a power of two from 2^-24 to 2^24, so that taking it out again is exact, "
        "or 0 (dynamic)",
        e.precision.loss_scale);
  if (e.network.classes == 1)
    return "network.classes = 1 leaves nothing to learn: give 0 (as the data has) or 2 and more";
  return "";
}

}  // namespace convoy

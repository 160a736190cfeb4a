#include "backends/fused/fused_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "backends/fused/separate.h"
#include "base/error.h"
#include "net/cost.h"

namespace convoy::fused {
namespace {

Recipe recipe_for(const Device& device, const Program& program, Arena& arena, const CompileOptions& options,
                  const FusedOptions& fused) {
  const DeviceFacts facts = device.facts();
  require(
      fused.fusion == Fusion::norms || !facts.separate,
      "{}: batch norm within the convolutions' main loops needs a GPU of compute capability 8.0 or above: "
      "take the backend without main-loop fusion",
      facts.hardware);
  Recipe recipe =
      plan(program, arena, options, fused.precision, align_of(facts, fused.precision), fused.fusion);
  return facts.separate ? separate(std::move(recipe)) : recipe;
}

bool takes_pictures(const Graph& graph) {
  const Shape& input = graph.nodes.front().shape;
  return input.channels == 3 && input.height == input.width;
}

}  // namespace

FusedPlan::FusedPlan(const Program& program, Arena& arena, const CompileOptions& options,
                     std::shared_ptr<Device> device, const FusedOptions& fused)
    : device_(std::move(device)),
      program_(program),
      arena_(arena),
      options_(fused),
      recipe_(recipe_for(*device_, program_, arena, options, fused)),
      placement_(place(recipe_)),
      planned_(allocate(*device_, placement_.planned, Place::device)),
      persistent_(allocate(*device_, placement_.persistent, Place::device)),
      staging_(recipe_, placement_, *device_, fused.threads),
      workspace_(nullptr, Release{device_.get(), Place::device}),
      queue_(device_->make_queue()) {
  bind();
  if (options_.input != DeviceInput::planes && takes_pictures(program_.graph))
    pictures_ =
        std::make_unique<PictureStage>(*device_, program_.images, program_.graph.nodes.front().shape.height,
                                       address_[static_cast<size_t>(recipe_.images)], options_.threads,
                                       options_.input == DeviceInput::files);
  prepare(recipe_.refresh, refresh_);
  prepare(recipe_.body, body_);
  workspace_ = allocate(*device_, workspace_bytes_, Place::device);
  for (size_t b = 0; b < recipe_.bucket_end.size(); ++b) marks_.push_back(device_->make_mark());
}

FusedPlan::~FusedPlan() {
  try {
    queue_->finish();
  } catch (...) {  // of a run that has already failed
  }
}

void FusedPlan::bind() {
  for (size_t t = 0; t < recipe_.tensors.size(); ++t) {
    const Tensor& tensor = recipe_.tensors[t];
    const auto in = [&](std::byte* block) { return block + placement_.offset[t]; };
    switch (tensor.home) {
      case Tensor::Home::planned:
        address_.push_back(in(planned_.get()));
        break;
      case Tensor::Home::persistent:
        address_.push_back(in(persistent_.get()));
        break;
      case Tensor::Home::arena:
        address_.push_back(reinterpret_cast<std::byte*>(tensor.address));
        break;
      case Tensor::Home::batch:
        address_.push_back(static_cast<Id>(t) == recipe_.totals ? staging_.totals()
                                                                : in(staging_.device_block()));
        break;
    }
  }
}

void FusedPlan::prepare(const std::vector<Instruction>& instructions, Part& part) {
  const Bound bound{recipe_.tensors, address_, staging_.facts()};
  for (const Instruction& instruction : instructions) {
    part.code.push_back(device_->prepare(instruction.operation, bound, recipe_.precision, true));
    workspace_bytes_ = std::max(workspace_bytes_, part.code.back()->workspace_bytes());
  }
}

void FusedPlan::check(const Batch& batch) const {
  const Graph& graph = program_.graph;
  const auto images = static_cast<int64_t>(program_.images);
  const int64_t pixels = graph.nodes.front().shape.elements(), outputs = graph.nodes.back().shape.elements();
  if (batch.pictures.empty())
    require(static_cast<int64_t>(batch.images.size()) == images * pixels,
            "{}: a batch of {} numbers was given to a plan for {} images of {}", graph.name,
            batch.images.size(), images, pixels);
  else
    check(batch.pictures);
  require(batch.workers > 0 && images % batch.workers == 0, "{}: {} images cannot be shared by {} workers",
          graph.name, images, batch.workers);
  if (recipe_.labels >= 0) {
    require(static_cast<int64_t>(batch.labels.size()) == images,
            "{}: {} labels were given to a plan for {} images", graph.name, batch.labels.size(), images);
    const int classes = graph.nodes[static_cast<size_t>(graph.nodes.back().inputs[0])].shape.channels;
    for (int32_t label : batch.labels)
      require(label >= -1 && label < classes,
              "a label of {} does not fit the network's {} classes: train and evaluate on the image set it "
              "was built for",
              label, classes);
  }
  require(recipe_.top_gradient < 0 || static_cast<int64_t>(batch.top_gradient.size()) == images * outputs,
          "{}: a network without a loss needs a top gradient of {} numbers, not {}", graph.name,
          images * outputs, batch.top_gradient.size());
}

void FusedPlan::check(std::span<const Picture> pictures) const {
  const Graph& graph = program_.graph;
  require(std::cmp_equal(pictures.size(), program_.images),
          "{}: {} pictures were given to a plan for {} images", graph.name, pictures.size(), program_.images);
  require(pictures_ != nullptr, "{}: pictures were given to a plan that takes planes alone", graph.name);
  for (const Picture& picture : pictures)
    require(!picture.file || options_.input == DeviceInput::files,
            "{}: a file was given to a plan that decodes none", graph.name);
}

void FusedPlan::enqueue(const Part& part, bool marks) {
  size_t bucket = 0;
  for (size_t i = 0; i <= part.code.size(); ++i) {
    for (; marks && bucket < marks_.size() && recipe_.bucket_end[bucket] == static_cast<int>(i); ++bucket)
      queue_->record(*marks_[bucket]);
    if (i < part.code.size()) part.code[i]->enqueue(*queue_, workspace_.get());
  }
}

// The first time by itself: libraries load what they need then, which a recording does not allow.
void FusedPlan::run(Part& part, bool marks) {
  if (part.graph != nullptr) {
    queue_->launch(*part.graph);
    return;
  }
  enqueue(part, marks);
  if (!options_.graph || part.code.empty()) return;
  queue_->begin_capture();
  enqueue(part, marks);
  part.graph = queue_->end_capture();
}

void FusedPlan::start(const Batch& batch) {
  check(batch);
  queue_->finish();  // of a run that its caller gave up
  staging_.send(batch, *queue_);
  if (!batch.pictures.empty()) pictures_->send(batch, *queue_);
  if (version_ != arena_.version()) run(refresh_, false);
  version_ = arena_.version();
  run(body_, true);
}

void FusedPlan::train(const Batch& batch, const ReadyFn& ready) {
  require(program_.mode == Mode::training, "{}: this plan was compiled for inference", program_.graph.name);
  start(batch);
  for (size_t b = 0; b < marks_.size(); ++b) {
    marks_[b]->wait();
    if (ready) ready(static_cast<BucketId>(b), Event{});
  }
  queue_->finish();
}

void FusedPlan::infer(const Batch& batch) {
  require(program_.mode == Mode::inference, "{}: this plan was compiled for training", program_.graph.name);
  start(batch);
  queue_->finish();
}

Totals FusedPlan::totals() { return staging_.take_totals(); }

bool FusedPlan::peek(Peek what, int node, std::span<float> to) {
  const auto& shown = what == Peek::value ? recipe_.values : recipe_.gradients;
  const Id id = shown.at(static_cast<size_t>(node));
  if (id < 0) return false;
  const Tensor& tensor = recipe_.tensors[static_cast<size_t>(id)];
  const int64_t pixels = int64_t{tensor.h} * tensor.w;
  require(static_cast<int64_t>(to.size()) == tensor.n * pixels * tensor.channels,
          "{}: peek at {} needs room for {} numbers, not {}", program_.graph.name,
          program_.graph.nodes[static_cast<size_t>(node)].name, tensor.n * pixels * tensor.channels,
          to.size());
  const Memory copy = allocate(*device_, tensor.bytes(), Place::pinned);
  queue_->copy(copy.get(), address_[static_cast<size_t>(id)], tensor.bytes());
  queue_->finish();
  to_planes(tensor, copy.get(), what == Peek::gradient ? staging_.loss_scale() : 1.0f, to);
  return true;
}

PlanInfo FusedPlan::info() const {
  PlanInfo info;
  info.activation_bytes = placement_.planned;
  info.weight_bytes = placement_.persistent;
  info.scratch_bytes =
      workspace_bytes_ + placement_.batch + staging_.pinned_bytes() + (pictures_ ? pictures_->bytes() : 0);
  size_t next = 0;
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const Step& step = program_.steps[s];
    std::vector<std::string> names;
    for (; next < recipe_.body.size() && recipe_.body[next].step == static_cast<int>(s); ++next)
      names.push_back(body_.code[next]->implementation());
    const Cost cost = cost_of(program_, step);
    info.steps.push_back({step.node, step.pass,
                          names.empty() ? recipe_.notes[s] : fmt::format("{}", fmt::join(names, ", ")),
                          cost.flops, cost.bytes});
  }
  return info;
}

}  // namespace convoy::fused

#include "backends/fused/placement.h"

#include <algorithm>

#include "backends/common/memory_plan.h"
#include "backends/fused/bodies.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

constexpr size_t line = 256;  // what the strictest device wants addresses to be multiples of
size_t rounded(size_t bytes) { return (bytes + line - 1) / line * line; }

std::vector<Interval> lives_of(const Recipe& recipe) {
  std::vector<Interval> lives(recipe.tensors.size());
  const int end = static_cast<int>(recipe.body.size());
  for (int i = 0; i < end; ++i) {
    const Operation& operation = recipe.body[static_cast<size_t>(i)].operation;
    for (const std::vector<Id>& ids : {reads(operation), writes(operation)})
      for (Id id : ids) {
        Interval& life = lives[static_cast<size_t>(id)];
        if (life.first < 0) life.first = i;
        life.last = i;
      }
  }
  for (const std::vector<Id>* shown : {&recipe.values, &recipe.gradients})
    for (Id id : *shown)
      if (id >= 0) lives[static_cast<size_t>(id)].last = end;
  return lives;
}

}  // namespace

Memory allocate(Device& device, size_t bytes, Place place) {
  try {
    return Memory(device.allocate(std::max(bytes, line), place), Release{&device, place});
  } catch (const Error& error) {
    throw OutOfMemory(error.what());
  }
}

Placement place(const Recipe& recipe) {
  Placement made;
  made.offset.assign(recipe.tensors.size(), 0);
  std::vector<Interval> planned = lives_of(recipe);
  for (size_t t = 0; t < planned.size(); ++t) {
    const Tensor& tensor = recipe.tensors[t];
    const auto append = [&](size_t& block) {
      made.offset[t] = block;
      block += rounded(tensor.bytes());
    };
    if (tensor.home == Tensor::Home::persistent) append(made.persistent);
    if (tensor.home == Tensor::Home::batch) append(made.batch);
    if (tensor.home == Tensor::Home::planned)
      planned[t].bytes = rounded(tensor.bytes());
    else
      planned[t] = {};
  }
  const MemoryPlan plan = plan_memory(planned);
  made.planned = plan.peak;
  for (size_t t = 0; t < planned.size(); ++t)
    if (recipe.tensors[t].home == Tensor::Home::planned) made.offset[t] = plan.offsets[t];
  return made;
}

int align_of(const DeviceFacts& facts, Precision precision) {
  return precision == Precision::bf16 || precision == Precision::fp16 ? facts.align16 : facts.align32;
}

void to_planes(const Tensor& tensor, const std::byte* from, float scale, std::span<float> to) {
  with_storage(tensor, [&]<class T>(T) {
    const T* values = reinterpret_cast<const T*>(from);
    const int64_t pixels = int64_t{tensor.h} * tensor.w;
    for (int64_t n = 0; n < tensor.n; ++n)
      for (int64_t c = 0; c < tensor.channels; ++c)
        for (int64_t p = 0; p < pixels; ++p)
          to[static_cast<size_t>((n * tensor.channels + c) * pixels + p)] =
              load(values[(n * pixels + p) * tensor.c + c]) / scale;
  });
}

}  // namespace convoy::fused

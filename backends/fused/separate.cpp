#include "backends/fused/separate.h"

#include <algorithm>
#include <map>
#include <utility>

namespace convoy::fused {
namespace {

bool has_ending(const ConvForward& conv) {
  return conv.scale >= 0 || conv.shift >= 0 || conv.addend >= 0 || conv.relu;
}

Operation ending_of(const ConvForward& conv, Id bare) {
  if (conv.scale < 0 && conv.shift < 0 && conv.addend < 0) return ReluForward{bare, conv.y};
  return ScaleShift{bare, conv.scale, conv.shift, conv.addend, conv.y, conv.relu};
}

}  // namespace

Recipe separate(Recipe recipe) {
  std::map<std::pair<Id, int>, const NormForward*> with_relu;  // by mask and first image
  for (const Instruction& instruction : recipe.body)
    if (const auto* norm = std::get_if<NormForward>(&instruction.operation);
        norm != nullptr && norm->mask >= 0)
      with_relu[{norm->mask, norm->first}] = norm;

  std::vector<Instruction> body;
  std::vector<int> ends = recipe.bucket_end;
  for (size_t i = 0; i < recipe.body.size(); ++i) {
    Instruction instruction = recipe.body[i];
    if (auto* back = std::get_if<NormBackward>(&instruction.operation); back != nullptr && back->mask >= 0) {
      const NormForward& norm = *with_relu.at({back->mask, back->first});
      back->y = norm.y;
      back->shift = norm.shift;
      back->epsilon = norm.epsilon;
    }
    auto* conv = std::get_if<ConvForward>(&instruction.operation);
    if (conv == nullptr || !has_ending(*conv)) {
      body.push_back(std::move(instruction));
      continue;
    }
    Tensor bare = recipe.tensors[static_cast<size_t>(conv->y)];
    bare.name += ".bare";
    bare.home = Tensor::Home::planned;
    recipe.tensors.push_back(std::move(bare));
    const auto id = static_cast<Id>(recipe.tensors.size()) - 1;
    const Instruction ending{instruction.step, ending_of(*conv, id)};
    *conv = {.conv = conv->conv, .x = conv->x, .w = conv->w, .y = id};
    body.push_back(std::move(instruction));
    body.push_back(ending);
    for (size_t b = 0; b < ends.size(); ++b)
      if (recipe.bucket_end[b] > static_cast<int>(i)) ++ends[b];
  }
  recipe.body = std::move(body);
  recipe.bucket_end = std::move(ends);
  return recipe;
}

}  // namespace convoy::fused

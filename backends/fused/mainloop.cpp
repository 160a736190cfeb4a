#include "backends/fused/mainloop.h"

#include <algorithm>

#include "backends/fused/planner.h"

namespace convoy::fused {
namespace {

constexpr int channels = 32;

bool square(const Extent& extent, int size) { return extent.height == size && extent.width == size; }

}  // namespace

bool MainLoop::fits(int conv) const {
  const auto* op = std::get_if<Conv>(&to_.node(conv).op);
  if (op == nullptr || op->groups != 1 || to_.node(conv).params.size() != 1) return false;
  const int inputs = to_.node(to_.input(conv)).shape.channels;
  if (inputs % channels != 0 || op->outputs % channels != 0) return false;
  if (!square(op->stride, 1) && !square(op->stride, 2)) return false;
  return (square(op->kernel, 1) && square(op->padding, 0)) ||
         (square(op->kernel, 3) && square(op->padding, 1));
}

bool MainLoop::counts(int conv) const {
  if (fusion_ != Fusion::main_loop || !to_.fuses() || !to_.training() || !fits(conv)) return false;
  const std::vector<int>& readers = to_.readers(conv);
  if (readers.size() != 1) return false;
  const Node& reader = to_.node(readers[0]);
  const auto* norm = std::get_if<BatchNorm>(&reader.op);
  return norm != nullptr && reader.params.size() == 2 &&
         images_of(to_.program(), *norm) == to_.program().images;
}

bool MainLoop::counted(int norm) const { return counts(to_.input(norm)); }

bool MainLoop::folded(int norm) const {
  if (!counted(norm)) return false;
  const int relu = to_.relu_of(norm);
  return relu >= 0 && to_.readers(relu).size() == 1 && counts(to_.readers(relu)[0]);
}

bool MainLoop::waits(int norm) const {
  const std::vector<int>& readers = to_.readers(norm);
  if (!counted(norm) || readers.size() != 1 || !std::holds_alternative<Add>(to_.node(readers[0]).op))
    return false;
  const int fused = to_.fused_norm(readers[0]);
  return fused >= 0 && fused != norm && counted(fused);
}

int MainLoop::closing(int relu) const {
  const std::vector<int>& readers = to_.readers(relu);
  if (readers.empty()) return -1;
  const int first = *std::ranges::min_element(readers);
  if (!fits(first) || std::ranges::count(readers, first) != 1) return -1;
  return square(std::get<Conv>(to_.node(first).op).stride, 1) ? first : -1;
}

std::optional<MainLoop::Ending> MainLoop::ending(int relu) const {
  const auto found = endings_.find(relu);
  return found == endings_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace convoy::fused

// Main-loop fusion as compositions of the convolutions: the operand that a main loop would read is made in the workspace,
// rounded to its type; the gradient of a convolution's input is kept in f32 until the norms' sums are taken of what is
// stored of it.
#include <utility>
#include <vector>

#include "backends/fused/bodies.h"
#include "backends/fused/bodies_mainloop.h"
#include "backends/fused/channel_sums.h"
#include "backends/fused/interpret.h"

namespace convoy::fused {
namespace {

// A few tensors with addresses, for an operation of its own.
struct Local {
  std::vector<Tensor> tensors{};
  std::vector<std::byte*> address{};
  Id add(Tensor tensor, void* memory) {
    tensors.push_back(std::move(tensor));
    address.push_back(static_cast<std::byte*>(memory));
    return static_cast<Id>(tensors.size()) - 1;
  }
  Bound bound() const { return {tensors, address, nullptr}; }
};

// Copies of one operation's operands beside a convolution's own workspace.
struct Copies {
  float* next;
  float* take(int64_t count) { return std::exchange(next, next + count); }
};

// relu(x scale + shift), of x's type: x itself where there is no scale.
std::byte* operand_of(const Interpreter& in, Id x, Id scale, Id shift, Copies& copies) {
  const Tensor& map = in.bound.tensor(x);
  if (scale < 0) return in.bound.at(x);
  float* made = copies.take(map.elements());
  with_storage(map, [&]<class T>(T) {
    const T *from = in.at<T>(x), *slope = in.at<T>(scale), *offset = in.at<T>(shift);
    T* to = reinterpret_cast<T*>(made);
#pragma omp parallel for num_threads(in.threads) schedule(static)
    for (int64_t i = 0; i < map.elements(); ++i) {
      const float value = load(from[i]) * load(slope[i % map.c]) + load(offset[i % map.c]);
      store(to[i], value < 0 ? 0.0f : value);
    }
  });
  return reinterpret_cast<std::byte*>(made);
}

float* widened(const Interpreter& in, Id id, Copies& copies) {
  const Tensor& tensor = in.bound.tensor(id);
  float* made = copies.take(tensor.elements());
  with_storage(tensor, [&]<class T>(T) {
    const T* from = in.at<T>(id);
#pragma omp parallel for num_threads(in.threads) schedule(static)
    for (int64_t i = 0; i < tensor.elements(); ++i) made[i] = load(from[i]);
  });
  return made;
}

Tensor in_f32(Tensor tensor) {
  tensor.type = Type::f32;
  return tensor;
}

NormalizedBody normalized(const Interpreter& in, const Normalized& n) {
  return {in.at<float>(n.mean), in.at<float>(n.inv_std), in.at<float>(n.scale), in.at<float>(n.shift)};
}

}  // namespace

size_t operand_workspace(Id scale, const Tensor& x) {
  return scale < 0 ? 0 : static_cast<size_t>(x.elements());
}
size_t wide_workspace(const Tensor& dy, const Tensor& w, const Tensor& g) {
  return static_cast<size_t>(dy.elements() + w.elements() + g.elements());
}

void Interpreter::run(const ConvStatistics& op) const {
  const Tensor &x = bound.tensor(op.x), &w = bound.tensor(op.w), &y = bound.tensor(op.y);
  Copies copies{workspace + conv_workspace(op.conv, x, w, y)};
  Local local;
  ConvForward conv{};
  conv.conv = op.conv;
  conv.x = local.add(x, operand_of(*this, op.x, op.scale, op.shift, copies));
  conv.w = local.add(w, bound.at(op.w));
  conv.y = local.add(y, bound.at(op.y));
  const Bound here = local.bound();
  Interpreter{here, workspace, threads}.run(conv);
  float *sums = at<float>(op.sum), *squares = at<float>(op.squares);
  with_storage(y, [&]<class T>(T) {
    const T* made = at<T>(op.y);
    const auto value = [&](int64_t e) { return static_cast<double>(load(made[e])); };
    const Part all{y, 0, y.n};
    for_bunches(y.c, threads, [&](int from, int to) {
      const Sums sum = all.sums(from, to, [&](int64_t e, size_t) { return value(e); });
      const Sums square = all.sums(from, to, [&](int64_t e, size_t) { return value(e) * value(e); });
      for (int c = from; c < to; ++c) {
        const auto lane = static_cast<size_t>(c - from);
        sums[c] = static_cast<float>(sum[lane]);
        squares[c] = static_cast<float>(square[lane]);
      }
    });
  });
}

void Interpreter::run_normalized(const ConvBackwardWeights& op) const {
  const Tensor &x = bound.tensor(op.x), &dy = bound.tensor(op.dy), &dw = bound.tensor(op.dw);
  Copies copies{workspace + conv_workspace(op.conv, x, dw, dy)};
  Local local;
  ConvBackwardWeights conv{};
  conv.conv = op.conv;
  conv.x = local.add(x, operand_of(*this, op.x, op.scale, op.shift, copies));
  conv.dy = local.add(dy, bound.at(op.dy));
  conv.dw = local.add(dw, bound.at(op.dw));
  const Bound here = local.bound();
  Interpreter{here, workspace, threads}.run(conv);
}

void Interpreter::run(const ConvBackwardNorm& op) const {
  const Tensor &dy = bound.tensor(op.dy), &w = bound.tensor(op.w), &g = bound.tensor(op.g);
  Copies copies{workspace + conv_workspace(op.conv, g, w, dy)};
  Local local;
  ConvBackwardData conv{};
  conv.conv = op.conv;
  conv.dy = local.add(in_f32(dy), widened(*this, op.dy, copies));
  conv.w = local.add(in_f32(w), widened(*this, op.w, copies));
  float* dx = copies.take(g.elements());
  conv.dx = local.add(in_f32(g), dx);
  const Bound here = local.bound();
  Interpreter{here, workspace, threads}.run(conv);

  const NormalizedBody norm = normalized(*this, op.norm), other = normalized(*this, op.other);
  float *dscale = at<float>(op.dscale), *dshift = at<float>(op.dshift);
  float *other_dscale = at<float>(op.other_dscale), *other_dshift = at<float>(op.other_dshift);
  with_storage(g, [&]<class T>(T) {
    const T *x = at<T>(op.norm.x), *other_x = at<T>(op.other.x), *residual = at<T>(op.residual),
            *addend = at<T>(op.addend);
    T* to = at<T>(op.g);
    const Part all{g, 0, g.n};
    for_bunches(g.c, threads, [&](int first, int end) {
      all.each(first, end, [&](int64_t e, size_t lane) {
        const int c = first + static_cast<int>(lane);
        float value = norm(load(x[e]), c);
        if (other_x != nullptr) value += other(load(other_x[e]), c);
        if (residual != nullptr) value += load(residual[e]);
        float gradient = dx[e];
        if (addend != nullptr) gradient += load(addend[e]);
        store(to[e], value <= 0 ? 0.0f : gradient);
      });
      const auto sums_of = [&](const T* map, const NormalizedBody& of, float* product, float* sum) {
        const Sums products = all.sums(first, end, [&](int64_t e, size_t lane) {
          const int c = first + static_cast<int>(lane);
          return static_cast<double>(load(to[e])) * static_cast<double>(of.standard(load(map[e]), c));
        });
        const Sums plain =
            all.sums(first, end, [&](int64_t e, size_t) { return static_cast<double>(load(to[e])); });
        for (int c = first; c < end; ++c) {
          const auto lane = static_cast<size_t>(c - first);
          product[c] = static_cast<float>(products[lane]);
          sum[c] = static_cast<float>(plain[lane]);
        }
      };
      sums_of(x, norm, dscale, dshift);
      if (other_x != nullptr) sums_of(other_x, other, other_dscale, other_dshift);
    });
  });
}

}  // namespace convoy::fused

#include "backends/reference/machine.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "backends/common/dropout.h"
#include "backends/common/loss.h"
#include "backends/reference/conv.h"
#include "backends/reference/norm.h"
#include "backends/reference/pool.h"
#include "base/error.h"

namespace convoy::reference {
namespace {

bool is_loss(const Node& node) { return std::holds_alternative<SoftmaxLoss>(node.op); }

ConvCase conv_case(const Program& program, const Node& node, int threads) {
  const Shape src = program.graph.nodes[static_cast<size_t>(node.inputs[0])].shape;
  return {std::get<Conv>(node.op), src, node.shape, program.images, threads};
}

NormCase norm_case(const Program& program, const Node& node, int threads) {
  return {node.shape, program.images, threads, images_of(program, std::get<BatchNorm>(node.op))};
}

// Elements that a node's forward step keeps for its backward step.
int64_t saved_elements(const Program& program, const Node& node) {
  if (std::holds_alternative<BatchNorm>(node.op))
    return int64_t{2} * node.shape.channels * norm_case(program, node, 1).groups();
  if (std::holds_alternative<Lrn>(node.op)) return node.shape.elements() * program.images;
  return 0;
}

}  // namespace

template <class T>
struct Machine<T>::Forward {
  Machine& m;
  const Batch& batch;
  int id;

  const Node& node() const { return m.node(id); }
  std::span<T> src(size_t i = 0) const { return m.values_[static_cast<size_t>(node().inputs[i])]; }
  std::span<T> dst() const { return m.values_[static_cast<size_t>(id)]; }
  std::span<T> saved() const { return m.saved_[static_cast<size_t>(id)]; }
  Shape src_shape() const { return m.node(node().inputs[0]).shape; }
  bool training() const { return m.program_.mode == Mode::training; }
  ConvValues<T> conv_values() const {
    return {src().data(), m.weight(node(), 0), m.weight(node(), 1), dst().data()};
  }

  void operator()(const Input&) const { std::copy(batch.images.begin(), batch.images.end(), dst().begin()); }
  void operator()(const Conv&) const {
    reference::forward(conv_case(m.program_, node(), m.threads_), conv_values(), m.scratch_);
  }
  void operator()(const Linear& op) const {
    reference::forward(LinearCase{src_shape().elements(), op.outputs, m.program_.images, m.threads_},
                       conv_values());
  }
  void operator()(const BatchNorm& op) const {
    NormParams<T> params{m.weight(node(), 0), m.weight(node(), 1), nullptr, nullptr};
    const int mean = node().stats[0], variance = node().stats[1];
    if (!training()) {
      params.mean = m.arena_.stat(mean).data();
      params.variance = m.arena_.stat(variance).data();
    }
    reference::forward(norm_case(m.program_, node(), m.threads_), op, params, src().data(), dst().data(),
                       saved().data(), m.arena_.stat_grad(mean).data(), m.arena_.stat_grad(variance).data());
  }
  void operator()(const Relu&) const {
    std::transform(src().begin(), src().end(), dst().begin(),
                   [](T x) { return x < 0 ? T{0} : x; });  // NaN stays
  }
  void operator()(const Add&) const {
    std::transform(src(0).begin(), src(0).end(), src(1).begin(), dst().begin(), std::plus<>());
  }
  void operator()(const Pool& op) const {
    reference::forward(PoolCase{op, src_shape(), node().shape, m.program_.images, m.threads_}, src().data(),
                       dst().data());
  }
  void operator()(const Lrn& op) const {
    reference::forward(NormCase{node().shape, m.program_.images, m.threads_}, op, src().data(), dst().data(),
                       saved().data());
  }
  void operator()(const Dropout& op) const {
    if (training())
      dropout<T>(batch, id, op.p, src(), dst(), m.threads_);
    else
      std::copy(src().begin(), src().end(), dst().begin());
  }
  void operator()(const SoftmaxLoss& op) const {
    softmax_loss<T>(src(), batch.labels, op.smoothing, dst(), m.totals_);
  }
};

// Adds to the gradients of the node's inputs and parameters; all are zero at the start of the backward pass.
template <class T>
struct Machine<T>::Backward {
  Machine& m;
  const Batch& batch;
  int id;

  const Node& node() const { return m.node(id); }
  size_t input(size_t i = 0) const { return static_cast<size_t>(node().inputs[i]); }
  std::span<const T> src() const { return m.values_[input()]; }
  std::span<const T> dst() const { return m.values_[static_cast<size_t>(id)]; }
  std::span<const T> saved() const { return m.saved_[static_cast<size_t>(id)]; }
  std::span<const T> d_dst() const { return m.gradients_[static_cast<size_t>(id)]; }
  std::span<T> d_src(size_t i = 0) const { return m.gradients_[input(i)]; }  // empty where nobody wants it
  Shape src_shape() const { return m.node(node().inputs[0]).shape; }
  ConvGradients<T> conv_gradients() const {
    return {src().data(),   m.weight(node(), 0),      d_dst().data(),
            d_src().data(), m.weight_grad(node(), 0), m.weight_grad(node(), 1)};
  }
  // d_src[e] += f(e)
  template <class F>
  void add(size_t i, F f) const {
    const std::span<T> to = d_src(i);
    for (size_t e = 0; e < to.size(); ++e) to[e] += f(e);
  }

  void operator()(const Input&) const {}
  void operator()(const Conv&) const {
    reference::backward(conv_case(m.program_, node(), m.threads_), conv_gradients(), m.scratch_);
  }
  void operator()(const Linear& op) const {
    reference::backward(LinearCase{src_shape().elements(), op.outputs, m.program_.images, m.threads_},
                        conv_gradients());
  }
  void operator()(const BatchNorm&) const {
    reference::backward(norm_case(m.program_, node(), m.threads_), m.weight(node(), 0), src().data(),
                        saved().data(), d_dst().data(), d_src().data(), m.weight_grad(node(), 0),
                        m.weight_grad(node(), 1));
  }
  void operator()(const Relu&) const {
    add(0, [y = dst(), dy = d_dst()](size_t e) { return y[e] <= 0 ? T{0} : dy[e]; });
  }
  void operator()(const Add&) const {
    for (size_t i : {size_t{0}, size_t{1}}) add(i, [dy = d_dst()](size_t e) { return dy[e]; });
  }
  void operator()(const Pool& op) const {
    reference::backward(PoolCase{op, src_shape(), node().shape, m.program_.images, m.threads_}, src().data(),
                        d_dst().data(), d_src().data());
  }
  void operator()(const Lrn& op) const {
    reference::backward(NormCase{node().shape, m.program_.images, m.threads_}, op, src().data(), dst().data(),
                        saved().data(), d_dst().data(), d_src().data());
  }
  void operator()(const Dropout& op) const {
    const std::span<T> masked{m.scratch_, d_dst().size()};
    dropout<T>(batch, id, op.p, d_dst(), masked, m.threads_);
    add(0, [masked](size_t e) { return masked[e]; });
  }
  void operator()(const SoftmaxLoss& op) const {
    if (!d_src().empty()) softmax_loss_gradient<T>(src(), batch.labels, op.smoothing, d_src());
  }
};

template <class T>
Machine<T>::Machine(const Program& program, ArenaOf<T>& arena, int threads)
    : program_(program),
      arena_(arena),
      threads_(threads),
      memory_(nullptr, nullptr),
      scratch_memory_(nullptr, nullptr) {
  ensure(arena.layout().elements == program.layout.elements);
  const auto& nodes = program_.graph.nodes;
  constexpr int64_t line = 64 / sizeof(T);
  int64_t elements = 0, scratch = 0;
  const auto reserve = [&](int64_t count) {
    const int64_t at = elements;
    elements += (count + line - 1) / line * line;
    return std::pair{at, count};
  };
  std::vector<std::pair<int64_t, int64_t>> values, gradients, saved;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const int64_t count = nodes[n].shape.elements() * program_.images;
    values.push_back(reserve(count));
    gradients.push_back(reserve(program_.gradients[n].first >= 0 ? count : 0));
    saved.push_back(reserve(saved_elements(program_, nodes[n])));
    if (std::holds_alternative<Conv>(nodes[n].op))
      scratch = std::max(scratch, conv_case(program_, nodes[n], threads_).scratch());
    if (std::holds_alternative<Dropout>(nodes[n].op)) scratch = std::max(scratch, count);
  }
  values_bytes_ = static_cast<size_t>(elements) * sizeof(T);
  scratch_bytes_ = static_cast<size_t>(scratch) * sizeof(T);
  memory_ = host_buffer(values_bytes_);
  scratch_memory_ = host_buffer(scratch_bytes_);
  scratch_ = reinterpret_cast<T*>(scratch_memory_.get());
  T* base = reinterpret_cast<T*>(memory_.get());
  const auto place = [&](const auto& pieces, std::vector<std::span<T>>& spans) {
    for (const auto& [at, count] : pieces)
      spans.push_back(count > 0 ? std::span<T>{base + at, static_cast<size_t>(count)} : std::span<T>{});
  };
  place(values, values_);
  place(gradients, gradients_);
  place(saved, saved_);
}

template <class T>
const T* Machine<T>::weight(const Node& node, size_t which) {
  return which < node.params.size() ? arena_.param(node.params[which]).data() : nullptr;
}

template <class T>
T* Machine<T>::weight_grad(const Node& node, size_t which) {
  return which < node.params.size() ? arena_.param_grad(node.params[which]).data() : nullptr;
}

template <class T>
void Machine<T>::check(const Batch& batch) const {
  const auto& nodes = program_.graph.nodes;
  const auto images = static_cast<size_t>(program_.images);
  ensure(batch.images.size() == values_[0].size());
  if (is_loss(nodes.back()))
    ensure(batch.labels.size() == images);
  else if (program_.mode == Mode::training)
    ensure(batch.top_gradient.size() == values_.back().size());
}

template <class T>
void Machine<T>::forward(const Batch& batch) {
  for (int id = 0; id < static_cast<int>(program_.graph.nodes.size()); ++id)
    std::visit(Forward{*this, batch, id}, node(id).op);
}

template <class T>
void Machine<T>::start_backward(const Batch& batch) {
  for (const std::span<T> gradient : gradients_) std::fill(gradient.begin(), gradient.end(), T{0});
  for (size_t p = 0; p < program_.graph.params.size(); ++p) {
    const std::span<T> gradient = arena_.param_grad(static_cast<int>(p));
    std::fill(gradient.begin(), gradient.end(), T{0});
  }
  if (!is_loss(program_.graph.nodes.back()) && !gradients_.back().empty())
    std::copy(batch.top_gradient.begin(), batch.top_gradient.end(), gradients_.back().begin());
}

template <class T>
void Machine<T>::train(const Batch& batch, const ReadyFn& ready) {
  ensure(program_.mode == Mode::training);
  check(batch);
  forward(batch);
  start_backward(batch);
  const auto& buckets = program_.layout.buckets;
  BucketId next = 0;
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const Step step = program_.steps[s];
    if (step.pass == Pass::backward) std::visit(Backward{*this, batch, step.node}, node(step.node).op);
    for (; next < static_cast<BucketId>(buckets.size()) &&
           buckets[static_cast<size_t>(next)].ready_step <= static_cast<int>(s);
         ++next)
      if (ready) ready(next, Event{});
  }
}

template <class T>
void Machine<T>::infer(const Batch& batch) {
  ensure(program_.mode == Mode::inference);
  check(batch);
  forward(batch);
}

template <class T>
Totals Machine<T>::totals() {
  return std::exchange(totals_, Totals{});
}

template class Machine<float>;
template class Machine<double>;

}  // namespace convoy::reference

// Dropout and the loss: the arithmetic is backends/common's, in plain order, the same for every CPU backend.
#include "backends/common/dropout.h"
#include "backends/common/loss.h"
#include "backends/onednn/builder.h"

namespace convoy::onednn {

namespace {

std::span<float> elements(const Run& run, const View& view) {
  return {run.at(view), view.desc.get_size() / sizeof(float)};
}

}  // namespace

EmitBackward emit_dropout(Builder& to, int id, const Dropout& op) {
  const int src_id = to.node(id).inputs[0];
  if (!to.training()) {  // no effect: the same value under another name
    to.set_layout(id, to.layout(src_id));
    to.set_value(id, to.value(src_id));
    return {};
  }
  const View src = to.in_layout(to.value(src_id), to.given(id)), dst = to.planned(to.given(id));
  const float p = op.p;
  to.own("dropout", {src, dst}, [=](const Run& run) {
    dropout<float>(*run.batch, id, p, elements(run, src), elements(run, dst), run.threads);
  });
  to.set_layout(id, dst.desc);
  to.set_value(id, dst);
  return [=, &to] {
    if (!to.wants_gradient(src_id)) return;
    const View gradient = to.gradient(id), src_gradient = to.overwritable(gradient);
    to.own("dropout", {gradient, src_gradient}, [=](const Run& run) {
      dropout<float>(*run.batch, id, p, elements(run, gradient), elements(run, src_gradient), run.threads);
    });
    to.give_gradient(src_id, src_gradient);
  };
}

EmitBackward emit_loss(Builder& to, int id, const SoftmaxLoss& op) {
  const int src_id = to.node(id).inputs[0];
  const View logits = to.in_layout(to.value(src_id), to.given(src_id)), losses = to.planned(to.given(id));
  const float smoothing = op.smoothing;
  to.own("softmax_loss", {logits, losses}, [=](const Run& run) {
    softmax_loss<float>(elements(run, logits), run.batch->labels, smoothing, elements(run, losses),
                        *run.totals);
  });
  to.set_layout(id, losses.desc);
  to.set_value(id, losses);
  return [=, &to] {
    if (!to.wants_gradient(src_id)) return;
    const View gradient = to.planned(logits.desc);
    to.own("softmax_loss", {logits, gradient}, [=](const Run& run) {
      softmax_loss_gradient<float>(elements(run, logits), run.batch->labels, smoothing,
                                   elements(run, gradient));
    });
    to.give_gradient(src_id, gradient);
  };
}

}  // namespace convoy::onednn

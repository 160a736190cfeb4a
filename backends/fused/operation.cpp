#include "backends/fused/operation.h"

#include <iterator>
#include <type_traits>

namespace convoy::fused {
namespace {

// Calls field(id, written) for every tensor of an operation, absent ones included.
template <class Field>
struct Fields {
  Field field;
  void read(Id id) const { field(id, false); }
  void write(Id id) const { field(id, true); }
  void read(const std::vector<Id>& ids) const {
    for (Id id : ids) read(id);
  }
  void read(const Normalized& n) const { read(n.x, n.mean, n.inv_std, n.scale, n.shift); }
  template <class... Ids>
  void read(const Ids&... ids) const {
    (read(ids), ...);
  }

  void operator()(const ConvForward& op) const {
    read(op.x, op.w, op.scale, op.shift, op.addend);
    write(op.y);
  }
  void operator()(const ConvBackwardData& op) const {
    read(op.dy, op.w, op.adds ? op.dx : -1);
    write(op.dx);
  }
  void operator()(const ConvBackwardWeights& op) const {
    read(op.x, op.dy, op.scale, op.shift);
    write(op.dw);
  }
  void operator()(const NormForward& op) const {
    read(op.x, op.scale, op.shift, op.addend);
    for (Id id : {op.y, op.mask, op.mean, op.inv_std, op.variance}) write(id);
  }
  void operator()(const NormBackward& op) const {
    read(op.dy, op.mask, op.x, op.mean, op.inv_std, op.scale, op.y, op.shift);
    for (Id id : {op.dx, op.d_addend, op.dscale, op.dshift}) write(id);
  }
  void operator()(const ConvStatistics& op) const {
    read(op.x, op.w, op.scale, op.shift);
    for (Id id : {op.y, op.sum, op.squares}) write(id);
  }
  void operator()(const ConvBackwardNorm& op) const {
    read(op.dy, op.w, op.addend, op.residual);
    read(op.norm);
    read(op.other);
    for (Id id : {op.g, op.dscale, op.dshift, op.other_dscale, op.other_dshift}) write(id);
  }
  void operator()(const PackImages& op) const { copy(op.from, op.to); }
  void operator()(const PackWeights& op) const { copy(op.from, op.to); }
  void operator()(const UnpackWeightGradient& op) const { copy(op.from, op.to); }
  void operator()(const UnpackVectorGradient& op) const {
    read(op.from);
    write(op.to);
  }
  void operator()(const NormStatistics& op) const {
    read(op.means, op.variances);
    write(op.mean);
    write(op.variance);
  }
  void operator()(const NormFinalize& op) const {
    read(op.sum, op.squares, op.scale, op.shift);
    for (Id id : {op.mean, op.inv_std, op.variance, op.to_scale, op.to_shift}) write(id);
  }
  void operator()(const NormJoin& op) const {
    read(op.norm);
    read(op.other);
    read(op.residual);
    write(op.y);
    write(op.mask);
  }
  void operator()(const NormApply& op) const {
    read(op.norm);
    read(op.g, op.dscale, op.dshift);
    write(op.dx);
  }
  void operator()(const NormFold& op) const {
    read(op.scale, op.shift, op.mean, op.variance, op.bias);
    write(op.to_scale);
    write(op.to_shift);
  }
  void operator()(const ScaleShift& op) const {
    read(op.x, op.scale, op.shift, op.addend);
    write(op.y);
  }
  void operator()(const Sum& op) const {
    read(op.parts);
    read(op.positive);
    write(op.y);
  }
  void operator()(const ReluForward& op) const { copy(op.x, op.y); }
  void operator()(const BiasGradient& op) const { copy(op.dy, op.db); }
  void operator()(const PoolForward& op) const {
    copy(op.x, op.y);
    write(op.choice);
  }
  void operator()(const PoolBackward& op) const {
    read(op.dy, op.choice);
    write(op.dx);
  }
  void operator()(const LrnForward& op) const {
    copy(op.x, op.y);
    write(op.scale);
  }
  void operator()(const LrnBackward& op) const {
    read(op.x, op.y, op.scale, op.dy);
    write(op.dx);
  }
  void operator()(const DropoutMask& op) const { copy(op.x, op.y); }
  void operator()(const LossForward& op) const {
    read(op.logits, op.labels);
    write(op.losses);
    write(op.totals);
  }
  void operator()(const LossBackward& op) const {
    read(op.logits, op.labels);
    write(op.dlogits);
  }
  void operator()(const TopGradient& op) const { copy(op.from, op.to); }
  void operator()(const ResizePictures& op) const { copy(op.table, op.to); }
  void copy(Id from, Id to) const {
    read(from);
    write(to);
  }
};

std::vector<Id> those(const Operation& operation, bool written) {
  std::vector<Id> ids;
  const auto collect = [&](Id id, bool is_written) {
    if (id >= 0 && is_written == written) ids.push_back(id);
  };
  std::visit(Fields<decltype(collect)>{collect}, operation);
  return ids;
}

}  // namespace

const char* name_of(const Operation& operation) {
  static constexpr const char* names[] = {"conv forward",
                                          "conv backward data",
                                          "conv backward weights",
                                          "norm forward",
                                          "norm backward",
                                          "conv and statistics",
                                          "conv backward data and norm",
                                          "pack images",
                                          "pack weights",
                                          "unpack weight gradient",
                                          "unpack vector gradient",
                                          "norm statistics",
                                          "norm finalize",
                                          "norm join",
                                          "norm apply",
                                          "norm fold",
                                          "scale and shift",
                                          "sum",
                                          "relu",
                                          "bias gradient",
                                          "pool forward",
                                          "pool backward",
                                          "lrn forward",
                                          "lrn backward",
                                          "dropout",
                                          "loss forward",
                                          "loss backward",
                                          "top gradient",
                                          "resize pictures"};
  static_assert(std::size(names) == std::variant_size_v<Operation>);
  return names[operation.index()];
}

bool is_library(const Operation& operation) {
  constexpr size_t last = 6;
  static_assert(std::is_same_v<std::variant_alternative_t<last, Operation>, ConvBackwardNorm>);
  return operation.index() <= last;
}

std::vector<Id> reads(const Operation& operation) { return those(operation, false); }
std::vector<Id> writes(const Operation& operation) { return those(operation, true); }

}  // namespace convoy::fused

#include "backends/onednn/norm_parts.h"

#include <span>

namespace convoy::onednn {

using dnnl::memory;

Desc slice_of(const Desc& maps, int groups) {
  if (groups == 1) return maps;
  memory::dims dims = shim::dims_of(maps);
  dims[0] /= groups;
  const Desc slice = maps.submemory_desc(dims, memory::dims(dims.size(), 0));
  if (slice.get_size() * static_cast<size_t>(groups) != maps.get_size())
    throw dnnl::error(dnnl_unimplemented, "images are not the outermost dimension");
  return slice;
}

View slice_of(const View& maps, int group, int groups) {
  const Desc slice = slice_of(maps.desc, groups);
  return {maps.buffer, slice, maps.offset + static_cast<size_t>(group) * slice.get_size()};
}

std::vector<View> vectors(Builder& to, const Desc& desc, int count) {
  std::vector<View> made;
  for (int i = 0; i < count; ++i) made.push_back(to.planned(desc));
  return made;
}

namespace {

std::vector<View> joined(std::vector<View> a, const std::vector<View>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

double sum_of(const Run& run, const std::vector<View>& vectors, size_t channel) {
  double sum = 0;
  for (const View& vector : vectors) sum += static_cast<double>(run.at(vector)[channel]);
  return sum;
}

// Where each group's gradient of a parameter is written, and their sum into the arena.
class ParamGradient {
 public:
  ParamGradient(Builder& to, const Node& node, const BatchNorm& op, size_t which, int groups) {
    if (!op.affine) {
      parts_.resize(static_cast<size_t>(groups));
      return;
    }
    const Desc vector({node.shape.channels}, memory::data_type::f32, memory::format_tag::x);
    home_ = to.param_grad(node.params[which]);
    parts_ = groups == 1 ? std::vector{to.fixed(home_, vector)} : vectors(to, vector, groups);
  }
  const View& part(int group) const { return parts_[static_cast<size_t>(group)]; }
  void finish(Builder& to) const {
    if (home_.empty() || parts_.size() == 1) return;
    to.own("sum of groups", parts_, [home = home_, parts = parts_](const Run& run) {
      for (size_t c = 0; c < home.size(); ++c) home[c] = static_cast<float>(sum_of(run, parts, c));
    });
  }

 private:
  std::span<float> home_;
  std::vector<View> parts_;
};

}  // namespace

void copy_statistics(Builder& to, int id, const BatchNorm& op, const std::vector<View>& means,
                     const std::vector<View>& variances) {
  const Node& node = to.node(id);
  const std::span<float> mean_to = to.stat_grad(node.stats[0]), variance_to = to.stat_grad(node.stats[1]);
  const double n = static_cast<double>(images_of(to.program(), op)) * node.shape.height * node.shape.width;
  const auto scale = static_cast<float>(op.unbiased_running && n > 1 ? n / (n - 1) : 1.0);
  const auto groups = static_cast<double>(means.size());
  to.own("statistics", joined(means, variances), [=](const Run& run) {
    for (size_t c = 0; c < mean_to.size(); ++c) {
      mean_to[c] = static_cast<float>(sum_of(run, means, c) / groups);
      variance_to[c] = static_cast<float>(sum_of(run, variances, c) / groups) * scale;
    }
  });
}

void norm_backward(Builder& to, int id, const BatchNorm& op,
                   const std::function<void(const NormGroup&)>& emit) {
  const int groups = to.program().images / images_of(to.program(), op);
  const View gradient = to.gradient(id);
  const View src_gradient = to.overwritable(gradient);
  const ParamGradient d_scale(to, to.node(id), op, 0, groups), d_shift(to, to.node(id), op, 1, groups);
  for (int g = 0; g < groups; ++g)
    emit({g, slice_of(gradient, g, groups), slice_of(src_gradient, g, groups), d_scale.part(g),
          d_shift.part(g)});
  d_scale.finish(to);
  d_shift.finish(to);
  const int src = to.node(id).inputs[0];
  if (to.wants_gradient(src)) to.give_gradient(src, src_gradient);
}

}  // namespace convoy::onednn

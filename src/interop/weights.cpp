#include "interop/weights.h"

#include <fmt/ranges.h>

#include <array>
#include <string_view>

#include "base/error.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Batch norms' nodes, whose counters torchvision keeps and convoy does not.
std::vector<std::string> counters_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<BatchNorm>(node.op)) names.push_back(node.name + ".num_batches_tracked");
  return names;
}

struct Place {
  std::string name;
  std::vector<int64_t> shape;
  std::span<float> values;
};

std::vector<Place> places_of(const Graph& graph, Arena& arena) {
  std::vector<Place> places;
  for (size_t p = 0; p < graph.params.size(); ++p)
    places.push_back({graph.params[p].name, graph.params[p].shape, arena.param(static_cast<int>(p))});
  for (size_t s = 0; s < graph.stats.size(); ++s)
    places.push_back({graph.stats[s].name, {graph.stats[s].channels}, arena.stat(static_cast<int>(s))});
  return places;
}

bool is_named_by(const std::string& tensor, const std::vector<std::string>& layers) {
  for (const std::string& layer : layers)
    if (tensor == layer || tensor.starts_with(layer + ".")) return true;
  return false;
}

std::string extents(const std::vector<int64_t>& shape) {
  return shape.empty() ? "a single number" : fmt::format("{}", fmt::join(shape, "x"));
}

void require_nothing_else(const Safetensors& file, const Graph& graph, const std::vector<Place>& places,
                          const std::vector<std::string>& fresh) {
  std::vector<std::string> known = counters_of(graph);
  for (const Place& place : places) known.push_back(place.name);
  for (const TensorEntry& tensor : file.tensors())
    require(
        std::find(known.begin(), known.end(), tensor.name) != known.end() || is_named_by(tensor.name, fresh),
        "{}: it holds {}, which {} does not have: are these another network's weights?", file.path().string(),
        tensor.name, graph.name);
  for (const std::string& counter : counters_of(graph)) {
    const TensorEntry* tensor = file.find(counter);  // PyTorch before 0.4.1 wrote none
    require(tensor == nullptr || is_named_by(counter, fresh) ||
                (tensor->dtype == "I64" && tensor->elements() == 1),
            "{}: {} is {} of type {}, where a single I64 is wanted", file.path().string(), counter,
            tensor == nullptr ? "" : extents(tensor->shape), tensor == nullptr ? "" : tensor->dtype);
  }
}

void require_layers(const Graph& graph, const std::vector<Place>& places,
                    const std::vector<std::string>& fresh) {
  for (const std::string& layer : fresh)
    require(std::any_of(places.begin(), places.end(),
                        [&](const Place& p) { return is_named_by(p.name, {layer}); }),
            Exit::usage, "{} has no layer {} to start afresh: `convoy plan` lists them", graph.name, layer);
}

}  // namespace

void export_weights(const fs::path& path, const Graph& graph, Arena& arena, int64_t steps,
                    const TensorMetadata& metadata) {
  std::vector<TensorToWrite> tensors;
  const std::span<const int64_t> count(&steps, 1);
  for (const std::string& counter : counters_of(graph))
    tensors.push_back({counter, "I64", {}, std::as_bytes(count)});
  for (const Place& place : places_of(graph, arena))
    tensors.push_back({place.name, "F32", place.shape, std::as_bytes(std::span<const float>(place.values))});
  write_safetensors(path, tensors, metadata);
}

Imported import_weights(const fs::path& path, const Graph& graph, Arena& arena,
                        const std::vector<std::string>& fresh) {
  refuse_foreign(path);
  const Safetensors file(path);
  file.verify();
  Imported imported{.metadata = file.metadata()};
  const std::vector<Place> places = places_of(graph, arena);
  require_layers(graph, places, fresh);
  for (const Place& place : places) {
    if (is_named_by(place.name, fresh)) {
      imported.fresh.push_back(place.name);
      continue;
    }
    const TensorEntry* tensor = file.find(place.name);
    require(tensor != nullptr, "{}: {} is missing, which {} needs: are these another network's weights?",
            path.string(), place.name, graph.name);
    require(
        tensor->shape == place.shape,
        "{}: {} is {} there and {} in {}: give the network that it was trained as, or, to start that layer "
        "afresh, --fresh {}",
        path.string(), place.name, extents(tensor->shape), extents(place.shape), graph.name,
        place.name.substr(0, place.name.rfind('.')));
    imported.rounded += file.read(*tensor, place.values);
  }
  require_nothing_else(file, graph, places, fresh);
  arena.weights_changed();
  return imported;
}

int classes_in(const Safetensors& file, const Graph& graph) {
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    if (!std::holds_alternative<Linear>(graph.nodes[n].op)) continue;
    const TensorEntry* weight = file.find(graph.nodes[n].name + ".weight");
    return weight == nullptr || weight->shape.size() != 2 || weight->shape[0] > 65536
               ? 0
               : static_cast<int>(weight->shape[0]);
  }
  return 0;
}

void refuse_foreign(const fs::path& path) {
  const File file(path, File::Mode::read);
  std::array<char, 8> start{};
  file.read_at(0, start.data(), std::min<uint64_t>(file.size(), start.size()));
  const std::string_view bytes(start.data(), start.size());
  const std::string name = path.string();
  fs::path converted = path;
  converted.replace_extension(".safetensors");
  // A zip archive of pickles (PyTorch 1.6 and later), or a bare pickle (before).
  require(
      !bytes.starts_with("PK\3\4") && !bytes.starts_with("\x80\2"),
      "{} is a pickle, as PyTorch saves, which is a program and is not run here; convert it: python3 -c \"import torch, "
      "safetensors.torch as s; s.save_file(dict(torch.load('{}', weights_only=True)), '{}')\"",
      name, name, converted.string());
  require(!bytes.starts_with("\x89HDF"),
          "{} is HDF5 and not safetensors: a checkpoint becomes one by `convoy export`", name);
  require(!bytes.starts_with("version "),
          "{} is the stub of a file that git-lfs has not fetched: `git lfs pull`", name);
}

}  // namespace convoy

// convoy export SOURCE: a run's or checkpoint's weights for other programs.
#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/model.h"
#include "cli/tree.h"
#include "interop/description.h"
#include "interop/onnx.h"
#include "interop/weights.h"
#include "net/program.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  ModelFlags model;
  std::string out, format;
  bool replace = false;
};

std::string format_of(const Flags& flags) {
  if (!flags.format.empty()) return flags.format;
  return fs::path(flags.out).extension() == ".onnx" ? "onnx" : "safetensors";
}

int export_model(const Flags& flags) {
  require(!fs::exists(flags.out) || flags.replace,
          "{} is there already: name another file, or give --replace", flags.out);
  const Model model = open_model(flags.model);
  Arena arena(model.graph, lower(model.graph, 1, {.mode = Mode::inference}).layout, 0);
  const LoadedWeights loaded = load_weights(model, arena);
  for (const std::string& line : loaded.warnings) fmt::print(stderr, "warning: {}\n", line);
  const TensorMetadata metadata = describe({.experiment = model.experiment,
                                            .graph = model.graph,
                                            .classes = model.classes,
                                            .steps = loaded.steps,
                                            .hash = loaded.hash,
                                            .weights_xxh3 = arena.digest()});
  if (format_of(flags) == "onnx")
    export_onnx(flags.out, model.graph, arena, metadata);
  else
    export_weights(flags.out, model.graph, arena, loaded.steps, metadata);
  fmt::print("{}: {} after {} steps, {} parameters, {}, digest {}\n", flags.out, model.graph.name,
             loaded.steps, human_count(static_cast<double>(model.graph.parameters())),
             human_bytes(fs::file_size(flags.out)), arena.digest());
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("export", "weights for other programs: safetensors or ONNX");
  set_examples(*command, {"convoy export runs/first --out resnet50.safetensors",
                          "convoy export runs/first --out resnet50.onnx",
                          "convoy export resnet50.safetensors --model resnet50 --out resnet50.onnx"});
  command->footer(
      "safetensors: torchvision's names, for load_state_dict(strict=True). ONNX: input [N, 3, H, W] f32, normalised; output\n"
      "logits.");
  auto flags = std::make_shared<Flags>();
  command->add_option("source", flags->model.source, "a run's folder, a checkpoint, or a safetensors file")
      ->required();
  command->add_option("--out", flags->out, "new file")->required();
  command->add_option("--format", flags->format, "default: by the file's name")
      ->check(CLI::IsMember({"safetensors", "onnx"}));
  command->add_flag("--replace", flags->replace, "write over a file that is there");
  add_model_flags(*command, flags->model);
  command->callback([&context, flags] { context.chosen = [flags] { return export_model(*flags); }; });
}

}  // namespace convoy::cli

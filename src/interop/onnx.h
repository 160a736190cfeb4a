// The network as an ONNX model (opset 13) for inference: batch norms with their running statistics, no dropout, no loss.
// Input "images": f32 [N, 3, H, W], normalised as the metadata says; output "logits": f32 [N, classes]. Weights keep
// their names and layouts. Field numbers: onnx.proto of ONNX 1.8 (IR version 7).
#pragma once

#include <filesystem>

#include "interop/safetensors.h"
#include "port/arena.h"

namespace convoy {

void export_onnx(const std::filesystem::path& path, const Graph& graph, Arena& arena,
                 const TensorMetadata& metadata);

}  // namespace convoy

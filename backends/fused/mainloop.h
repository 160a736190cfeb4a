// Main-loop fusion, the planner's second way with batch norms (Fusion::main_loop), as NVIDIA's MLPerf entries for ResNet-50
// have it: in training, a normalized map between two convolutions of a block is never stored.
//   forward   convolution with the sums of its output -> NormFinalize -> the next convolution reads relu(x scale + shift) in
//             its main loop; where a residual ends, NormJoin writes the sum of the normalized maps
//   backward  the gradient of the convolution's input, the ReLU and the sums of batch norm's backward pass in one operation
//             (ConvBackwardNorm), NormApply; the weights' gradient reads relu(x scale + shift) as the forward pass did
//
// Conditions. What does not meet them is planned as without, layer by layer:
//   convolution with sums    1x1 without padding or 3x3 padded by 1, of stride 1 or 2; inputs and outputs multiples of 32;
//                            one group; no bias; read by a batch norm alone, which has a scale and a shift and one group of images
//   folded into a main loop  a norm above such a convolution, with a ReLU that such a convolution alone reads
//   joined                   any other norm above such a convolution: by itself, with an Add that it is fused with, and with
//                            the norm on the Add's other side where that one is above such a convolution too ("waits")
//   gradient with the sums   of a folded norm; of a joined norm with a ReLU whose first reader is a convolution of such a
//                            shape and of stride 1. Else the joined norm's backward pass is NormBackward, by a mask
// A main loop takes its scale and shift in the activations' type, the backward pass makes the ReLU's argument again from f32
// vectors: where that argument is within their rounding of 0, one of the two lets through what the other does not.
// The shift, shift - mean scale inv_std, is of that type too: of a channel with |mean| inv_std scale above 65,504 it is infinite in
// fp16, and below that it is off by up to its 2^-11th part.
// cuDNN has the engines in fp16, from compute capability 8.0 (tests/gpu/deviceless.sh); the backend that asks for this plan
// asks for fp16.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "backends/fused/fusion.h"
#include "backends/fused/operation.h"

namespace convoy::fused {

class Planner;

class MainLoop {
 public:
  MainLoop(const Planner& planner, Fusion fusion) : to_(planner), fusion_(fusion) {}

  // Of the graph alone.
  bool fits(int conv) const;     // its shape
  bool counts(int conv) const;   // is a convolution with sums
  bool counted(int norm) const;  // is above one
  bool folded(int norm) const;
  bool waits(int norm) const;
  // The convolution whose backward pass takes the sums for the norms below this ReLU; -1: none.
  int closing(int relu) const;

  struct Sums {
    Id first = -1, second = -1;
  };
  // What has been written of a norm, by its id.
  struct Norm {
    Normalized of{};
    Sums forward{};   // sum, squares
    Sums backward{};  // dscale, dshift
    Id to_scale = -1, to_shift = -1;
  };
  Norm& norm(int id) { return norms_[id]; }
  // What the value of a ReLU is made of, by the ReLU's id; `residual`: a tensor.
  struct Ending {
    int norm = -1, other = -1;
    Id residual = -1;
  };
  void end(int relu, const Ending& ending) { endings_[relu] = ending; }
  std::optional<Ending> ending(int relu) const;

 private:
  const Planner& to_;
  Fusion fusion_;
  std::map<int, Norm> norms_;
  std::map<int, Ending> endings_;
};

}  // namespace convoy::fused

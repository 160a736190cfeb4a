// What this host's NVIDIA driver and cuDNN say of themselves, asked before any call of the CUDA runtime and without its
// headers: a few functions of libcuda.so.1 and libcudnn.so.9, declared by hand and loaded at run time. Part of the one
// binary, so that a host without a GPU can say what it lacks. Libraries once loaded stay loaded.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace convoy::cudnn {

enum class ComputeMode { shared = 0, prohibited = 2, exclusive = 3 };  // as nvidia-smi sets it

struct Gpu {
  std::string name, bus_id;  // "NVIDIA H100 80GB HBM3", "0000:1B:00.0"
  int capability = 0;        // 90: compute capability 9.0
  size_t memory = 0;         // bytes
  ComputeMode mode = ComputeMode::shared;
  bool taken = false;  // exclusive, and another process has it
};

struct Driver {
  int version = 0;        // of CUDA, what the driver can run: 13000
  std::vector<Gpu> gpus;  // those that CUDA_VISIBLE_DEVICES leaves, in CUDA's order
  std::string trouble;    // why there is none, in one sentence
};
Driver ask_driver();

struct Cudnn {
  int version = 0;  // 91900; 0: not found
  std::string library;
};
Cudnn ask_cudnn();

// What a plug-in was built with and for.
struct Built {
  int toolkit = 0, cudnn = 0;      // 13000, 91900
  std::vector<int> architectures;  // machine code: 80, 90
  int ptx = 0;                     // the driver can translate it for this capability and above; 0: none
};

// Why a plug-in so built cannot use the driver's GPU number `gpu`, in one sentence that says what to do; "" where it can.
std::string trouble_of(const Driver& driver, const Cudnn& cudnn, const Built& built, size_t gpu);

std::string cuda_text(int version);         // 13000: "13.0"
std::string cudnn_text(int version);        // 91900: "9.19.0", 8907: "8.9.7"
std::string capability_text(int version);   // 90: "9.0"
std::string code_text(const Built& built);  // "8.0, 9.0 and, as PTX, 9.0 and above"

}  // namespace convoy::cudnn

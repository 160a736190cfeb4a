// What the builder writes and the plan executes: a tape of instructions over numbered buffers. A buffer is planned (its
// offset in the one arena of values and gradients follows from the instructions that touch it), private (copies of
// weights and what is made of them, which outlive a run), fixed (the caller's arena) or given with each batch (images, top gradient).
// A View is a buffer, or what begins `offset` bytes into it, with a oneDNN layout. Nothing here owns memory; nothing is asynchronous.
#pragma once

#include <cstddef>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "port/backend.h"

namespace convoy::onednn {

using Desc = dnnl::memory::desc;

struct View {
  int buffer = -1;
  Desc desc;
  size_t offset = 0;
  explicit operator bool() const { return buffer >= 0; }
};

struct BufferSpec {
  enum class Home { planned, persistent, scratch, fixed, images, top_gradient };
  Home home = Home::planned;
  size_t bytes = 0;
  std::byte* address = nullptr;  // fixed only
  bool keep = false;             // planned only: readable after the run
};

// What one execution sees: where the buffers are, and the minibatch.
struct Run {
  const std::vector<std::byte*>* address = nullptr;
  const Batch* batch = nullptr;
  Totals* totals = nullptr;
  int threads = 1;
  template <class T = float>
  T* at(const View& view) const {
    return reinterpret_cast<T*>((*address)[static_cast<size_t>(view.buffer)] + view.offset);
  }
};

struct Argument {
  int id;  // DNNL_ARG_...
  View view;
};

struct Instruction {
  int step = 0;                // index into Program::steps
  std::string implementation;  // as printed
  dnnl::primitive primitive;   // a call of the library with `arguments`, or ...
  std::vector<Argument> arguments;
  std::function<void(const Run&)> own;  // ... a loop of ours over `touches`
  std::vector<View> touches;
};

struct Tape {
  std::vector<BufferSpec> buffers;
  // What is made of weights and running statistics, when the arena's version has changed.
  std::vector<Instruction> refresh;
  std::vector<Instruction> body;  // ascending steps
  // By step: printed where a step has no instruction of its own ("fused into ...").
  std::vector<std::string> notes;
  std::vector<View> values, gradients;  // by node; no buffer where fusion or reuse hides it
  size_t scratch_bytes = 0;             // the largest scratchpad any primitive asks for; all share it
};

}  // namespace convoy::onednn

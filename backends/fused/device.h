// The thin layer between the fused plan and a machine: memory, queues, marks, recorded graphs, and code made from one
// operation. Two implementations: the host (host_device.h: malloc, a thread a queue, the interpreter), so that
// the executor, its overlap and its failures run in every test, and CUDA (backends/cudnn).
//
// Queues run what they are given in order, each beside the host and beside the other queues; a Mark orders them. A queue
// that captures runs nothing: end_capture() returns all of it as one graph, marks included, to be launched many times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "backends/fused/recipe.h"

namespace convoy::fused {

// shared: addressable by host and device alike, wherever its pages are. pinned: the host's, fast to copy, readable by
// the device.
enum class Place : uint8_t { device, pinned, shared };

// What a minibatch changes and a recorded graph must not hold: read from this block on the device when the code runs.
struct StepFacts {
  uint64_t seed = 0;
  int64_t step = 0;
  int32_t worker = 0, workers = 1;  // as in Batch
  float loss_scale = 1;
};

class Mark {
 public:
  virtual ~Mark() = default;
  // The host, until the queue that was last told to record it (or launched a graph that does) has come there; throws
  // what went wrong on its way.
  virtual void wait() = 0;
  virtual bool reached() = 0;  // whether wait() would return at once; throws as it would
};

class Captured {
 public:
  virtual ~Captured() = default;
};

class Queue;

// One operation, ready to run at fixed addresses.
class Code {
 public:
  virtual ~Code() = default;
  virtual std::string implementation() const = 0;  // as printed: cuDNN's engine, "convoy:sum"
  virtual size_t workspace_bytes() const { return 0; }
  virtual void enqueue(Queue& queue, std::byte* workspace) = 0;
};

class Queue {
 public:
  virtual ~Queue() = default;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void clear(void* to, size_t bytes) = 0;
  virtual void record(Mark& mark) = 0;
  virtual void wait(Mark& mark) = 0;  // this queue, not the host
  virtual void begin_capture() = 0;
  virtual std::unique_ptr<Captured> end_capture() = 0;
  virtual void launch(Captured& graph) = 0;
  virtual void finish() = 0;  // the host, until all is done; throws what went wrong
};

struct DeviceFacts {
  std::string library, isa, hardware;  // as DeviceInfo
  int align16 = 8, align32 = 4;        // channels are padded to multiples of it
  size_t memory = 0, free = 0;         // bytes
  bool separate = false;               // wants Recipes as separate.h rewrites them
};

// Decodes JPEGs into device memory: RGB, [height][width][3]. Of plain_jpeg() files alone (data/decode.h).
struct JpegFile {
  std::span<const std::byte> bytes;  // the host's, unchanged until the queue has come past it
  int width = 0, height = 0;         // as its header says
  std::byte* rgb = nullptr;
};
class JpegDecoder {
 public:
  virtual ~JpegDecoder() = default;
  virtual std::string library() const = 0;  // "nvJPEG 12.4.0 (hardware, chroma interpolated)"
  // Not again before the queue has come past it.
  virtual void enqueue(Queue& queue, std::span<const JpegFile> files) = 0;
};

struct Bound {  // a Recipe's tensors with their addresses on this device
  std::span<const Tensor> tensors;
  std::span<std::byte* const> address;  // by Id
  const StepFacts* facts = nullptr;     // readable by the device
  const Tensor& tensor(Id id) const { return tensors[static_cast<size_t>(id)]; }
  std::byte* at(Id id) const { return address[static_cast<size_t>(id)]; }
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceFacts facts() const = 0;
  // Zeroed. Where there is not enough: an error that says what was asked for and what is free.
  virtual std::byte* allocate(size_t bytes, Place place) = 0;
  virtual void release(std::byte* memory, Place place) = 0;
  // For the arena: shared memory that may outlive the device, and the optimizers' work on it.
  virtual Buffer shared_buffer(size_t bytes) = 0;
  virtual Vector& vector() = 0;
  virtual std::unique_ptr<Queue> make_queue() = 0;
  virtual std::unique_ptr<Mark> make_mark() = 0;
  // Null where there is none; an error says why one that could be there is not. `threads`: what of it the host does.
  virtual std::unique_ptr<JpegDecoder> make_decoder(int /*threads*/) { return nullptr; }
  // `repeatable`: the same inputs give the same bits, every time.
  virtual std::unique_ptr<Code> prepare(const Operation& operation, const Bound& bound, Precision precision,
                                        bool repeatable) = 0;
};

}  // namespace convoy::fused

#include "backends/fused/host_device.h"

#include <unistd.h>

#include <limits>
#include <map>

#include "backends/common/host_vector.h"
#include "backends/common/processor.h"
#include "backends/fused/bodies.h"
#include "backends/fused/host_queue.h"
#include "backends/fused/interpret.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

class HostCode final : public Code {
 public:
  HostCode(const Operation& operation, const Bound& bound, int threads)
      : operation_(operation), bound_(bound), threads_(threads), library_(is_library(operation)) {}

  std::string implementation() const override {
    return std::string(library_ ? "interpreter:" : "convoy:") + name_of(operation_);
  }
  size_t workspace_bytes() const override {
    return library_ ? interpreter_workspace(operation_, bound_) : workspace_of(operation_, bound_);
  }
  void enqueue(Queue& queue, std::byte* workspace) override {
    dynamic_cast<HostQueue&>(queue).push({.run = [this, workspace] { run(workspace); }});
  }

 private:
  void run(std::byte* workspace) const {
    if (library_) return interpret(operation_, bound_, workspace, threads_);
    constexpr int64_t worth_threads = 4096;
    with_body(operation_, bound_, workspace, [&](const auto& body, int64_t count) {
#pragma omp parallel for num_threads(threads_) schedule(static) if (count > worth_threads)
      for (int64_t i = 0; i < count; ++i) body(i);
    });
  }

  Operation operation_;
  Bound bound_;
  int threads_;
  bool library_;
};

class HostDecoder final : public JpegDecoder {
 public:
  using Decode = decltype(HostOptions::decode);
  explicit HostDecoder(Decode decode) : decode_(std::move(decode)) {}
  std::string library() const override { return "the host's decoder"; }
  void enqueue(Queue& queue, std::span<const JpegFile> files) override {
    for (const JpegFile& file : files)
      dynamic_cast<HostQueue&>(queue).push({.run = [decode = decode_, file] {
        const auto pixels = static_cast<size_t>(file.width) * static_cast<size_t>(file.height);
        decode(file.bytes, {file.rgb, 3 * pixels});
      }});
  }

 private:
  Decode decode_;
};

size_t physical_memory() {
  return static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

class HostDevice final : public Device {
 public:
  explicit HostDevice(const HostOptions& options)
      : options_(options),
        memory_(options.memory > 0 ? options.memory : physical_memory()),
        vector_(options.threads) {}

  DeviceFacts facts() const override {
    return {.library = "none",
            .isa = "as compiled",
            .hardware = processor_name(),
            .align16 = options_.align,
            .align32 = options_.align,
            .memory = memory_,
            .free = memory_ - std::min(memory_, used_),
            .separate = options_.separate};
  }

  std::byte* allocate(size_t bytes, Place) override {
    require(options_.memory == 0 || used_ + bytes <= options_.memory,
            "{:.1f} MB of memory were asked for where {:.1f} of {:.1f} MB are free",
            1e-6 * static_cast<double>(bytes), 1e-6 * static_cast<double>(memory_ - used_),
            1e-6 * static_cast<double>(memory_));
    Buffer buffer = host_buffer(bytes);
    std::byte* address = buffer.get();
    buffers_.emplace(address, Piece{std::move(buffer), bytes});
    used_ += bytes;
    return address;
  }

  void release(std::byte* memory, Place) override {
    const auto piece = buffers_.find(memory);
    ensure(piece != buffers_.end());
    used_ -= piece->second.bytes;
    buffers_.erase(piece);
  }

  Buffer shared_buffer(size_t bytes) override { return host_buffer(bytes); }
  Vector& vector() override { return vector_; }
  std::unique_ptr<Queue> make_queue() override { return std::make_unique<HostQueue>(); }
  std::unique_ptr<Mark> make_mark() override { return std::make_unique<HostMark>(); }
  std::unique_ptr<JpegDecoder> make_decoder(int) override {
    return options_.decode ? std::make_unique<HostDecoder>(options_.decode) : nullptr;
  }
  std::unique_ptr<Code> prepare(const Operation& operation, const Bound& bound, Precision, bool) override {
    return std::make_unique<HostCode>(operation, bound, options_.threads);
  }

 private:
  struct Piece {
    Buffer buffer;
    size_t bytes;
  };
  HostOptions options_;
  size_t memory_, used_ = 0;
  std::map<std::byte*, Piece> buffers_;
  HostVector vector_;
};

}  // namespace

std::unique_ptr<Device> make_host_device(const HostOptions& options) {
  require(options.threads > 0, Exit::usage, "the fused backend needs at least one thread, not {}",
          options.threads);
  return std::make_unique<HostDevice>(options);
}

}  // namespace convoy::fused

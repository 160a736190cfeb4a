// JPEGs decoded by the GPU: nvJPEG, from libnvjpeg.so of the toolkit's major version, loaded when a job asks for it. By the
// decoder in hardware where the GPU has one (A100, H100 and later), otherwise by nvJPEG's kernels. Includes nothing of CUDA:
// its few functions are declared here, and tested against its header and a stand-in (tests/gpu).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/fused/device.h"

namespace convoy::cudnn {

struct NvjpegImage {  // nvjpegImage_t
  unsigned char* channel[4];
  size_t pitch[4];
};

struct NvjpegTable {  // statuses and enumerations as int
  int (*property)(int type, int* value) = nullptr;
  int (*create)(int backend, void* device_allocator, void* pinned_allocator, unsigned flags,
                void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  int (*create_state)(void* handle, void** state) = nullptr;
  int (*destroy_state)(void* state) = nullptr;
  int (*initialize)(void* handle, void* state, int images, int threads, int format) = nullptr;
  int (*decode)(void* handle, void* state, const unsigned char* const* files, const size_t* sizes,
                NvjpegImage* to, void* stream) = nullptr;
};

class Nvjpeg {
 public:
  // On the GPU that is the thread's own. Throws, naming what is missing: the library, or functions of it.
  explicit Nvjpeg(int cuda_major);
  ~Nvjpeg();
  Nvjpeg(const Nvjpeg&) = delete;
  Nvjpeg& operator=(const Nvjpeg&) = delete;

  std::string library() const;
  // `stream`: a cudaStream_t, on which the pixels are complete. The files must stay as they are until then.
  void decode(std::span<const fused::JpegFile> files, void* stream);

 private:
  void check(int status, const char* what) const;

  NvjpegTable table_;
  void *handle_ = nullptr, *state_ = nullptr;
  bool hardware_ = false;
  size_t initialized_ = 0;  // images at a time
  std::vector<const unsigned char*> files_;
  std::vector<size_t> sizes_;
  std::vector<NvjpegImage> images_;
};

}  // namespace convoy::cudnn

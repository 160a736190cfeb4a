// JPEGs decoded by the GPU: nvJPEG, from libnvjpeg.so of the toolkit's major version, loaded when a job asks for it. By the
// decoder in hardware where the GPU has one (A100, H100 and later) and it takes the file, otherwise by nvJPEG's kernels. Where
// a minibatch fails its files are tried one by one, so that the error names the one. Includes nothing of CUDA: its few functions
// are declared here, and tested against its header and a stand-in (tests/gpu).
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
  int (*create_file)(void* handle, void** file) = nullptr;  // nvjpegJpegStream_t
  int (*destroy_file)(void* file) = nullptr;
  int (*parse_header)(void* handle, const unsigned char* data, size_t size, void* file) = nullptr;
  int (*supported)(void* handle, void* file, int* no) = nullptr;
  int (*initialize)(void* handle, void* state, int images, int threads, int format) = nullptr;
  int (*decode)(void* handle, void* state, const unsigned char* const* files, const size_t* sizes,
                NvjpegImage* to, void* stream) = nullptr;
};

class Nvjpeg {
 public:
  // On the GPU that is the thread's own; `threads`: for what kernels leave to the host. Throws, naming what is missing: the
  // library, or functions of it.
  Nvjpeg(int cuda_major, int threads);
  ~Nvjpeg();
  Nvjpeg(const Nvjpeg&) = delete;
  Nvjpeg& operator=(const Nvjpeg&) = delete;

  std::string library() const;
  // `stream`: a cudaStream_t, on which the pixels are complete. The files must stay as they are until then, and the next call
  // waits for it.
  void decode(std::span<const fused::JpegFile> files, void* stream);

 private:
  struct Decoder {
    void *handle = nullptr, *state = nullptr;
    size_t initialized = 0;  // images at a time
  };
  int start(Decoder& decoder, int backend);
  void end(Decoder& decoder);
  bool takes(const Decoder& decoder, const fused::JpegFile& file);
  int decode_by(Decoder& decoder, std::span<const fused::JpegFile> files, void* stream);
  void decode_all_by(Decoder& decoder, std::span<const fused::JpegFile> files, void* stream);

  NvjpegTable table_;
  int threads_;
  unsigned flags_ = 0;
  std::string version_;
  Decoder hardware_, kernels_;  // the first: where the GPU has one
  void* header_ = nullptr;
  std::vector<fused::JpegFile> for_hardware_, for_kernels_;
  std::vector<const unsigned char*> files_;
  std::vector<size_t> sizes_;
  std::vector<NvjpegImage> images_;
};

}  // namespace convoy::cudnn

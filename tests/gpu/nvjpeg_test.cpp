// JPEGs by a stand-in for nvJPEG (libnvjpeg.c), started by nvjpeg_test.py. Prints what it found; a mistake ends it with another exit
// code than 0.
#include <dlfcn.h>
#include <fmt/format.h>

#include <vector>

#include "backends/cudnn/nvjpeg.h"
#include "base/error.h"

#if __has_include(<nvjpeg.h>)  // is what we declare what it declares?
#include <nvjpeg.h>  // tests/gpu/old_headers.sh has one
static_assert(sizeof(nvjpegImage_t) == sizeof(convoy::cudnn::NvjpegImage) && NVJPEG_MAX_COMPONENT == 4 &&
              offsetof(nvjpegImage_t, pitch) == offsetof(convoy::cudnn::NvjpegImage, pitch) &&
              NVJPEG_OUTPUT_RGBI == 5 && NVJPEG_BACKEND_HARDWARE == 3 && NVJPEG_STATUS_ARCH_MISMATCH == 7 &&
              NVJPEG_STATUS_IMPLEMENTATION_NOT_SUPPORTED == 9 && sizeof(nvjpegBackend_t) == sizeof(int) &&
              sizeof(nvjpegOutputFormat_t) == sizeof(int) && sizeof(nvjpegStatus_t) == sizeof(int));
#endif

namespace {

using namespace convoy;

// Minibatches of 3, 3 and 2 pictures: the library has to be told of another number.
void decode_some(cudnn::Nvjpeg& nvjpeg) {
  int stream = 0;
  for (const size_t count : {size_t{3}, size_t{3}, size_t{2}}) {
    std::vector<std::vector<std::byte>> files, pixels;
    std::vector<fused::JpegFile> wanted;
    for (size_t i = 0; i < count; ++i) {
      files.emplace_back(10, static_cast<std::byte>(40 * i));
      pixels.emplace_back(3 * (5 + i) * 2);
    }
    for (size_t i = 0; i < count; ++i)
      wanted.push_back({files[i], static_cast<int>(5 + i), 2, pixels[i].data()});
    nvjpeg.decode(wanted, &stream);
    for (size_t i = 0; i < count; ++i)
      for (size_t b = 0; b < 3 * (5 + i); ++b)
        require(pixels[i][b] == static_cast<std::byte>(40 * i + b), "picture {} is wrong at {}", i, b);
  }
}

}  // namespace

int main() {
  try {
    {
      cudnn::Nvjpeg nvjpeg(13);
      decode_some(nvjpeg);
      fmt::print("{}\n", nvjpeg.library());
    }
    void* library = ::dlopen("libnvjpeg.so.13", RTLD_NOW | RTLD_NOLOAD);
    const auto handles = reinterpret_cast<int (*)()>(::dlsym(library, "fake_nvjpeg_handles"));
    require(handles != nullptr && handles() == 0, "the library was not given back");
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}

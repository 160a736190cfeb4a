// JPEGs by a stand-in for nvJPEG (libnvjpeg.c), started by nvjpeg_test.py: test_nvjpeg FILES_IN_HARDWARE. Prints what it found; a
// mistake ends it with another exit code than 0.
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "backends/cudnn/nvjpeg.h"
#include "base/error.h"

#if __has_include(<nvjpeg.h>)  // tests/gpu/old_headers.sh has one: is what we declare what it declares?
#include <nvjpeg.h>
static_assert(sizeof(nvjpegImage_t) == sizeof(convoy::cudnn::NvjpegImage) && NVJPEG_MAX_COMPONENT == 4 &&
              offsetof(nvjpegImage_t, pitch) == offsetof(convoy::cudnn::NvjpegImage, pitch));
static_assert(NVJPEG_OUTPUT_RGBI == 5 && NVJPEG_BACKEND_DEFAULT == 0 && NVJPEG_BACKEND_HARDWARE == 3 &&
              (NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION) == 32 && NVJPEG_STATUS_SUCCESS == 0 &&
              NVJPEG_STATUS_NOT_INITIALIZED == 1 && NVJPEG_STATUS_BAD_JPEG == 3 &&
              NVJPEG_STATUS_ARCH_MISMATCH == 7 && NVJPEG_STATUS_INCOMPLETE_BITSTREAM == 10);

// As many parameters, and each a pointer or a number of the same size.
template <class R, class... A, class Q, class... B>
constexpr bool alike(R (*)(A...), Q (*)(B...)) {
  if constexpr (sizeof...(A) != sizeof...(B))
    return false;
  else
    return sizeof(R) == sizeof(Q) &&
           ((sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>)&&...);
}
using Table = convoy::cudnn::NvjpegTable;
static_assert(alike(decltype(Table::property){}, decltype(&nvjpegGetProperty){}));
static_assert(alike(decltype(Table::create){}, decltype(&nvjpegCreateEx){}));
static_assert(alike(decltype(Table::destroy){}, decltype(&nvjpegDestroy){}));
static_assert(alike(decltype(Table::create_state){}, decltype(&nvjpegJpegStateCreate){}));
static_assert(alike(decltype(Table::destroy_state){}, decltype(&nvjpegJpegStateDestroy){}));
static_assert(alike(decltype(Table::create_file){}, decltype(&nvjpegJpegStreamCreate){}));
static_assert(alike(decltype(Table::destroy_file){}, decltype(&nvjpegJpegStreamDestroy){}));
static_assert(alike(decltype(Table::parse_header){}, decltype(&nvjpegJpegStreamParseHeader){}));
static_assert(alike(decltype(Table::supported){}, decltype(&nvjpegDecodeBatchedSupported){}));
static_assert(alike(decltype(Table::initialize){}, decltype(&nvjpegDecodeBatchedInitialize){}));
static_assert(alike(decltype(Table::decode){}, decltype(&nvjpegDecodeBatched){}));
#endif

namespace {

using namespace convoy;

// Minibatches of more and of fewer pictures, of which the first, 40 and 80 fit the stand-in's hardware.
void decode_some(cudnn::Nvjpeg& nvjpeg, size_t in_hardware) {
  int stream = 0;
  for (const size_t count : {size_t{2}, size_t{5}, size_t{5}, size_t{1}}) {
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
        require(pixels[i][b] == static_cast<std::byte>(40 * i + b + (i < in_hardware ? 1 : 0)),
                "picture {} is wrong at {}", i, b);
  }
}

}  // namespace

int main(int, char** arguments) {
  try {
    {
      cudnn::Nvjpeg nvjpeg(13, 5);
      decode_some(nvjpeg, std::stoul(arguments[1]));
      fmt::print("{}\n", nvjpeg.library());
    }
    void* library = ::dlopen("libnvjpeg.so.13", RTLD_NOW | RTLD_NOLOAD);
    const auto alive = reinterpret_cast<int (*)()>(::dlsym(library, "fake_nvjpeg_alive"));
    require(alive != nullptr && alive() == 0, "the library was not given back");
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}

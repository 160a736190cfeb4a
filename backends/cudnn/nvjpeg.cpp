#include "backends/cudnn/nvjpeg.h"

#include <dlfcn.h>

#include <array>

#include "base/error.h"

namespace convoy::cudnn {
namespace {

constexpr int success = 0, architecture_mismatch = 7, not_implemented = 9;  // nvjpegStatus_t
constexpr int any_backend = 0, hardware_backend = 3;                        // nvjpegBackend_t
constexpr int interleaved_rgb = 5;                                          // nvjpegOutputFormat_t

const char* text_of(int status) {
  constexpr std::array texts{"success",
                             "it is not initialized",
                             "an invalid parameter",
                             "a damaged JPEG",
                             "a kind of JPEG that it does not read",
                             "no memory",
                             "the GPU failed",
                             "this GPU cannot",
                             "an internal error",
                             "this is not implemented",
                             "a JPEG that is cut short"};
  const auto index = static_cast<size_t>(status);
  return index < texts.size() ? texts[index] : "an unknown error";
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

NvjpegTable load(int cuda_major) {  // never unloaded
  const std::string file = fmt::format("libnvjpeg.so.{}", cuda_major);
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(
      library != nullptr,
      "the GPU cannot decode JPEGs: {}; install CUDA's nvJPEG, or let the host decode (--device-input resize)",
      library == nullptr ? ::dlerror() : "");
  NvjpegTable t;
  require(find(library, "nvjpegGetProperty", t.property) && find(library, "nvjpegCreateEx", t.create) &&
              find(library, "nvjpegDestroy", t.destroy) &&
              find(library, "nvjpegJpegStateCreate", t.create_state) &&
              find(library, "nvjpegJpegStateDestroy", t.destroy_state) &&
              find(library, "nvjpegDecodeBatchedInitialize", t.initialize) &&
              find(library, "nvjpegDecodeBatched", t.decode),
          "the GPU cannot decode JPEGs: {} lacks functions that nvJPEG 11 has; let the host decode "
          "(--device-input resize)",
          file);
  return t;
}

}  // namespace

Nvjpeg::Nvjpeg(int cuda_major) : table_(load(cuda_major)) {
  int status = table_.create(hardware_backend, nullptr, nullptr, 0, &handle_);
  hardware_ = status == success;
  if (status == architecture_mismatch || status == not_implemented)
    status = table_.create(any_backend, nullptr, nullptr, 0, &handle_);
  check(status, "start");
  const int made = table_.create_state(handle_, &state_);
  if (made != success) table_.destroy(handle_);  // no destructor runs for what was not constructed
  check(made, "start");
}

Nvjpeg::~Nvjpeg() {
  table_.destroy_state(state_);
  table_.destroy(handle_);
}

void Nvjpeg::check(int status, const char* what) const {
  require(status == success,
          "nvJPEG cannot {}: {} (status {}); where this stays, let the host decode (--device-input resize)",
          what, text_of(status), status);
}

std::string Nvjpeg::library() const {
  std::array<int, 3> version{};  // libraryPropertyType: major, minor, patch level
  for (int part = 0; part < 3; ++part)
    check(table_.property(part, &version[static_cast<size_t>(part)]), "tell its version");
  return fmt::format("nvJPEG {}.{}.{} ({})", version[0], version[1], version[2],
                     hardware_ ? "hardware" : "kernels");
}

void Nvjpeg::decode(std::span<const fused::JpegFile> files, void* stream) {
  if (files.size() != initialized_) {
    check(table_.initialize(handle_, state_, static_cast<int>(files.size()), 1, interleaved_rgb),
          "make room for a minibatch");
    initialized_ = files.size();
  }
  files_.clear();
  sizes_.clear();
  images_.clear();
  for (const fused::JpegFile& file : files) {
    files_.push_back(reinterpret_cast<const unsigned char*>(file.bytes.data()));
    sizes_.push_back(file.bytes.size());
    NvjpegImage image{};
    image.channel[0] = reinterpret_cast<unsigned char*>(file.rgb);
    image.pitch[0] = 3 * static_cast<size_t>(file.width);
    images_.push_back(image);
  }
  check(table_.decode(handle_, state_, files_.data(), sizes_.data(), images_.data(), stream),
        "decode a minibatch");
}

}  // namespace convoy::cudnn

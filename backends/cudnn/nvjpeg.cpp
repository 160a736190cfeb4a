#include "backends/cudnn/nvjpeg.h"

#include <dlfcn.h>

#include <array>

#include "base/error.h"

namespace convoy::cudnn {
namespace {

constexpr int success = 0;                                // nvjpegStatus_t
constexpr int default_backend = 0, hardware_backend = 3;  // nvjpegBackend_t
constexpr int interleaved_rgb = 5;                        // nvjpegOutputFormat_t
constexpr unsigned interpolate = 1U << 5;                 // of chroma, as libjpeg does: since 12.1

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

void check(int status, const char* what) {
  require(status == success,
          "nvJPEG cannot {}: {} (status {}); where this stays, let the host decode (--device-input resize)",
          what, text_of(status), status);
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

NvjpegTable load(int cuda_major) {  // never unloaded
  const std::string file = fmt::format("libnvjpeg.so.{}", cuda_major);
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr,
          "the GPU cannot decode JPEGs: {}; install CUDA's nvJPEG, or let the host decode (--device-input "
          "resize)",
          library == nullptr ? ::dlerror() : "");
  NvjpegTable t;
  require(find(library, "nvjpegGetProperty", t.property) && find(library, "nvjpegCreateEx", t.create) &&
              find(library, "nvjpegDestroy", t.destroy) &&
              find(library, "nvjpegJpegStateCreate", t.create_state) &&
              find(library, "nvjpegJpegStateDestroy", t.destroy_state) &&
              find(library, "nvjpegJpegStreamCreate", t.create_file) &&
              find(library, "nvjpegJpegStreamDestroy", t.destroy_file) &&
              find(library, "nvjpegJpegStreamParseHeader", t.parse_header) &&
              find(library, "nvjpegDecodeBatchedSupported", t.supported) &&
              find(library, "nvjpegDecodeBatchedInitialize", t.initialize) &&
              find(library, "nvjpegDecodeBatched", t.decode),
          "the GPU cannot decode JPEGs: {} lacks functions that nvJPEG 12 has; let the host decode "
          "(--device-input resize)",
          file);
  return t;
}

}  // namespace

Nvjpeg::Nvjpeg(int cuda_major, int threads) : table_(load(cuda_major)), threads_(threads) {
  std::array<int, 3> version{};  // libraryPropertyType: major, minor, patch level
  for (int part = 0; part < 3; ++part)
    check(table_.property(part, &version[static_cast<size_t>(part)]), "tell its version");
  version_ = fmt::format("{}.{}.{}", version[0], version[1], version[2]);
  if (version > std::array{12, 1, 0}) flags_ = interpolate;
  try {
    check(start(kernels_, default_backend), "start");
    check(table_.create_file(kernels_.handle, &header_), "start");
    if (start(hardware_, hardware_backend) != success)
      end(hardware_);  // whatever the reason: kernels do it, too
  } catch (...) {
    if (header_ != nullptr) table_.destroy_file(header_);
    end(kernels_);
    throw;
  }
}

Nvjpeg::~Nvjpeg() {
  table_.destroy_file(header_);
  end(hardware_);
  end(kernels_);
}

int Nvjpeg::start(Decoder& decoder, int backend) {
  const int status = table_.create(backend, nullptr, nullptr, flags_, &decoder.handle);
  return status != success ? status : table_.create_state(decoder.handle, &decoder.state);
}

void Nvjpeg::end(Decoder& decoder) {
  if (decoder.state != nullptr) table_.destroy_state(decoder.state);
  if (decoder.handle != nullptr) table_.destroy(decoder.handle);
  decoder = {};
}

std::string Nvjpeg::library() const {
  return fmt::format("nvJPEG {} ({}{})", version_, hardware_.state != nullptr ? "hardware" : "kernels",
                     flags_ != 0 ? ", chroma interpolated" : "");
}

bool Nvjpeg::takes(const Decoder& decoder, const fused::JpegFile& file) {
  if (decoder.state == nullptr) return false;
  int no = 1;
  return table_.parse_header(decoder.handle, reinterpret_cast<const unsigned char*>(file.bytes.data()),
                             file.bytes.size(), header_) == success &&
         table_.supported(decoder.handle, header_, &no) == success && no == 0;
}

int Nvjpeg::decode_by(Decoder& decoder, std::span<const fused::JpegFile> files, void* stream) {
  if (files.size() != decoder.initialized) {
    decoder.initialized = 0;
    const int status = table_.initialize(decoder.handle, decoder.state, static_cast<int>(files.size()),
                                         threads_, interleaved_rgb);
    if (status != success) return status;
    decoder.initialized = files.size();
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
  const int status =
      table_.decode(decoder.handle, decoder.state, files_.data(), sizes_.data(), images_.data(), stream);
  if (status != success) decoder.initialized = 0;  // of a state that may be anything
  return status;
}

void Nvjpeg::decode_all_by(Decoder& decoder, std::span<const fused::JpegFile> files, void* stream) {
  if (files.empty() || decode_by(decoder, files, stream) == success) return;
  for (size_t i = 0; i < files.size(); ++i) {
    const int status = decode_by(kernels_, files.subspan(i, 1), stream);
    if (status != success)
      check(status, fmt::format("decode a JPEG of {} x {} pixels and {} bytes", files[i].width,
                                files[i].height, files[i].bytes.size())
                        .c_str());
  }
}

void Nvjpeg::decode(std::span<const fused::JpegFile> files, void* stream) {
  for_hardware_.clear();
  for_kernels_.clear();
  for (const fused::JpegFile& file : files)
    (takes(hardware_, file) ? for_hardware_ : for_kernels_).push_back(file);
  decode_all_by(hardware_, for_hardware_, stream);
  decode_all_by(kernels_, for_kernels_, stream);
}

}  // namespace convoy::cudnn

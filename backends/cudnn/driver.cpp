#include "backends/cudnn/driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace convoy::cudnn {
namespace {

using Device = int;
constexpr int no_device = 100, stub_library = 34, device_unavailable = 46;  // CUresult
constexpr int capability_major = 75, capability_minor = 76,
              compute_mode_attribute = 20;  // CUdevice_attribute

struct Table {
  int (*init)(unsigned) = nullptr;
  int (*version)(int*) = nullptr;
  int (*error_name)(int, const char**) = nullptr;
  int (*count)(int*) = nullptr;
  int (*get)(Device*, int) = nullptr;
  int (*name)(char*, int, Device) = nullptr;
  int (*bus_id)(char*, int, Device) = nullptr;
  int (*attribute)(int*, int, Device) = nullptr;
  int (*memory)(size_t*, Device) = nullptr;
  int (*retain)(void**, Device) = nullptr;
  int (*release)(Device) = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

bool fill(Table& cu, void* library) {
  return find(library, "cuInit", cu.init) && find(library, "cuDriverGetVersion", cu.version) &&
         find(library, "cuGetErrorName", cu.error_name) && find(library, "cuDeviceGetCount", cu.count) &&
         find(library, "cuDeviceGet", cu.get) && find(library, "cuDeviceGetName", cu.name) &&
         find(library, "cuDeviceGetPCIBusId", cu.bus_id) &&
         find(library, "cuDeviceGetAttribute", cu.attribute) &&
         find(library, "cuDeviceTotalMem_v2", cu.memory) &&
         find(library, "cuDevicePrimaryCtxRetain", cu.retain) &&
         find(library, "cuDevicePrimaryCtxRelease_v2", cu.release);
}

std::string name_of(const Table& cu, int code) {
  const char* name = nullptr;
  return cu.error_name(code, &name) == 0 && name != nullptr ? name : fmt::format("error {}", code);
}

std::string start_trouble(const Table& cu, int code, int version) {
  if (code == no_device)
    return fmt::format(
        "the NVIDIA driver (CUDA {}) shows no GPU: look at nvidia-smi and at CUDA_VISIBLE_DEVICES",
        cuda_text(version));
  if (code == stub_library)
    return "the libcuda.so.1 found first is the CUDA toolkit's stub and no driver: take its folder out of "
           "LD_LIBRARY_PATH";
  return fmt::format("the NVIDIA driver does not start, cuInit says {}: look at nvidia-smi and dmesg",
                     name_of(cu, code));
}

Gpu describe(const Table& cu, Device device) {
  Gpu gpu;
  std::array<char, 256> text{};
  if (cu.name(text.data(), static_cast<int>(text.size()), device) == 0) gpu.name = text.data();
  if (cu.bus_id(text.data(), static_cast<int>(text.size()), device) == 0) gpu.bus_id = text.data();
  int major = 0, minor = 0, mode = 0;
  cu.attribute(&major, capability_major, device);
  cu.attribute(&minor, capability_minor, device);
  cu.attribute(&mode, compute_mode_attribute, device);
  cu.memory(&gpu.memory, device);
  gpu.capability = 10 * major + minor;
  gpu.mode = static_cast<ComputeMode>(mode);
  if (gpu.mode == ComputeMode::exclusive) {  // only a context shows whether somebody else has it
    void* context = nullptr;
    const int code = cu.retain(&context, device);
    gpu.taken = code == device_unavailable;
    if (code == 0) cu.release(device);
  }
  return gpu;
}

int major_of_cudnn(int version) { return version >= 90000 ? version / 10000 : version / 1000; }

// Drivers that a CUDA of this major version needs at least, by NVIDIA's release notes.
const char* driver_for(int toolkit) {
  switch (toolkit / 1000) {
    case 11:
      return "driver 450 or newer";
    case 12:
      return "driver 525 or newer";
    case 13:
      return "driver 580 or newer";
    default:
      return "a newer driver";
  }
}

bool has_machine_code(const Built& built, int capability) {
  for (const int architecture : built.architectures)
    if (architecture / 10 == capability / 10 && architecture <= capability) return true;
  return false;
}

}  // namespace

Driver ask_driver() {
  Driver driver;
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    driver.trouble = fmt::format(
        "there is no NVIDIA driver on this host ({}): install it, or compute with --backend onednn",
        ::dlerror());
    return driver;
  }
  Table cu;
  if (!fill(cu, library)) {
    driver.trouble =
        "the NVIDIA driver's libcuda.so.1 lacks functions that every driver since CUDA 11 has: install a "
        "newer driver";
    return driver;
  }
  cu.version(&driver.version);
  if (const int code = cu.init(0); code != 0) {
    driver.trouble = start_trouble(cu, code, driver.version);
    return driver;
  }
  int count = 0;
  if (cu.count(&count) != 0 || count == 0) driver.trouble = start_trouble(cu, no_device, driver.version);
  for (int i = 0; i < count; ++i) {
    Device device = 0;
    if (cu.get(&device, i) == 0) driver.gpus.push_back(describe(cu, device));
  }
  return driver;
}

Cudnn ask_cudnn() {
  for (const char* name : {"libcudnn.so.9", "libcudnn.so.8", "libcudnn.so.10"}) {
    void* library = ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    size_t (*version)() = nullptr;
    if (library != nullptr && find(library, "cudnnGetVersion", version))
      return {static_cast<int>(version()), name};
  }
  return {};
}

std::string trouble_of(const Driver& driver, const Cudnn& cudnn, const Built& built, size_t gpu) {
  if (!driver.trouble.empty()) return driver.trouble;
  if (driver.version / 1000 < built.toolkit / 1000)
    return fmt::format(
        "the NVIDIA driver runs CUDA {} and this plug-in was built with CUDA {}: install {}{}",
        cuda_text(driver.version), cuda_text(built.toolkit), driver_for(built.toolkit),
        driver.version >= 12000 ? fmt::format(", or build convoy with CUDA {}", driver.version / 1000) : "");
  if (cudnn.version == 0)
    return fmt::format(
        "there is no cuDNN on this host (libcudnn.so.{0}), which this plug-in was built with in version {1}: "
        "install cuDNN {0}, or put its folder on LD_LIBRARY_PATH",
        major_of_cudnn(built.cudnn), cudnn_text(built.cudnn));
  if (major_of_cudnn(cudnn.version) != major_of_cudnn(built.cudnn))
    return fmt::format(
        "{} is cuDNN {} and this plug-in was built with cuDNN {}: put cuDNN {} first on LD_LIBRARY_PATH",
        cudnn.library, cudnn_text(cudnn.version), cudnn_text(built.cudnn), major_of_cudnn(built.cudnn));
  if (gpu >= driver.gpus.size())
    return fmt::format("there is no GPU {} on this host, it has {}", gpu, driver.gpus.size());
  const Gpu& card = driver.gpus[gpu];
  const std::string who = fmt::format("GPU {} ({}, {})", gpu, card.name, card.bus_id);
  if (!has_machine_code(built, card.capability)) {
    if (built.ptx == 0 || card.capability < built.ptx)
      return fmt::format(
          "{} has compute capability {} and this plug-in has code for {}: build convoy with "
          "-DCONVOY_CUDA_ARCHITECTURES={}",
          who, capability_text(card.capability), code_text(built), card.capability);
    if (driver.version < built.toolkit)
      return fmt::format(
          "{} has compute capability {}, for which the driver (CUDA {}) would have to translate PTX of CUDA {}: "
          "install a newer driver, or build convoy with -DCONVOY_CUDA_ARCHITECTURES={}",
          who, capability_text(card.capability), cuda_text(driver.version), cuda_text(built.toolkit),
          card.capability);
  }
  if (card.mode == ComputeMode::prohibited)
    return fmt::format("{} is closed to computing: open it with nvidia-smi -c DEFAULT", who);
  if (card.taken)
    return fmt::format(
        "{} is in exclusive mode and another process has it: wait for that process (nvidia-smi names it), or "
        "choose another GPU with CUDA_VISIBLE_DEVICES",
        who);
  return "";
}

std::string cuda_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

std::string cudnn_text(int version) {
  const int major = major_of_cudnn(version);
  const int rest = version - major * (version >= 90000 ? 10000 : 1000);
  return fmt::format("{}.{}.{}", major, rest / 100, rest % 100);
}

std::string capability_text(int version) { return fmt::format("{}.{}", version / 10, version % 10); }

std::string code_text(const Built& built) {
  std::string text;
  for (const int architecture : built.architectures)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", capability_text(architecture));
  if (built.ptx != 0) text += fmt::format(" and, as PTX, {} and above", capability_text(built.ptx));
  return text;
}

}  // namespace convoy::cudnn

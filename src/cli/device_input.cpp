#include "cli/device_input.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/error.h"
#include "cli/tree.h"

namespace convoy::cli {
namespace {

constexpr std::array words{"none", "resize", "decode"};  // by DeviceInput

}  // namespace

void add_device_input(CLI::App& command, std::string& word) {
  command
      .add_option(
          "--device-input", word,
          "what a GPU does with images. none: the host prepares them; resize: it resizes, mirrors and normalizes "
          "what the host decodes, to the same bits; decode: it decodes as well, by nvJPEG, to others "
          "(but for what it cannot read, coefficients of JPEGs among it)")
      ->capture_default_str()
      ->check(one_of({words.begin(), words.end()}));
}

DeviceInput input_of(const std::string& word) {
  return static_cast<DeviceInput>(std::ranges::find(words, word) - words.begin());
}

DeviceInput input_on(const Backend& backend, DeviceInput wanted, bool given, Communicator& comm) {
  const DeviceInfo device = backend.device();
  const DeviceInput mine = std::min(wanted, device.input);
  int64_t able = mine != DeviceInput::planes ? 1 : 0;
  comm.sum({&able, 1});
  require(
      !given || wanted == DeviceInput::planes || able > 0, Exit::usage,
      "--device-input {} is for devices with memory of their own, and backend {} computes in the host's: leave "
      "it away",
      words[static_cast<size_t>(wanted)], device.backend);
  return mine;
}

}  // namespace convoy::cli

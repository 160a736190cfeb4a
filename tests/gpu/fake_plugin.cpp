// Stands in for libconvoy_cudnn.so: the reference backend behind the plug-in's door, so that all of the way through it
// is tested without CUDA. The environment plants what can be wrong with it: FAKE_PLUGIN holds words key=value.
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>

#include "backends/cudnn/build_commit.h"
#include "backends/cudnn/plugin_abi.h"
#include "backends/reference/reference.h"
#include "base/error.h"

namespace {

std::string planted(const std::string& key, const std::string& otherwise) {
  const char* text = std::getenv("FAKE_PLUGIN");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;)
    if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
  return otherwise;
}

// The reference's gradients with something added that no two runs agree on.
class Wrong final : public convoy::Backend {
 public:
  explicit Wrong(std::unique_ptr<convoy::Backend> real) : real_(std::move(real)) {}
  convoy::DeviceInfo device() const override { return real_->device(); }
  std::unique_ptr<convoy::Plan> compile(const convoy::Program& program, convoy::Arena& arena,
                                        const convoy::CompileOptions& options) override {
    return std::make_unique<WrongPlan>(real_->compile(program, arena, options), arena);
  }
  convoy::Vector& vector() override { return real_->vector(); }

 private:
  class WrongPlan final : public convoy::Plan {
   public:
    WrongPlan(std::unique_ptr<convoy::Plan> real, convoy::Arena& arena)
        : real_(std::move(real)), arena_(arena) {}
    void train(const convoy::Batch& batch, const convoy::ReadyFn& ready) override {
      const auto noise =
          static_cast<float>(std::chrono::steady_clock::now().time_since_epoch().count() % 1000);
      real_->train(batch, [&](convoy::BucketId bucket, convoy::Event event) {
        for (float& value : arena_.grads(bucket)) value += 1e-4f * noise;
        ready(bucket, event);
      });
    }
    void infer(const convoy::Batch& batch) override { real_->infer(batch); }
    convoy::Totals totals() override { return real_->totals(); }
    bool peek(convoy::Peek what, int node, std::span<float> to) override {
      return real_->peek(what, node, to);
    }
    convoy::PlanInfo info() const override { return real_->info(); }

   private:
    std::unique_ptr<convoy::Plan> real_;
    convoy::Arena& arena_;
  };
  std::unique_ptr<convoy::Backend> real_;
};

std::unique_ptr<convoy::Backend> make(int gpu, int threads, convoy::Precision, convoy::fused::Fusion,
                                      convoy::DeviceInput) {
  if (planted("fails", "no") == "yes")
    throw convoy::Error("GPU " + std::to_string(gpu) + " fell off the bus", convoy::Exit::temporary);
  if (planted("fails", "no") == "foreign") throw std::runtime_error("of a library");
  if (planted("arithmetic", "right") == "wrong")
    return std::make_unique<Wrong>(convoy::make_reference(threads));
  return convoy::make_reference(threads);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] const convoy::cudnn::PluginFacts* convoy_cudnn_plugin() {
  static const std::string commit = planted("commit", convoy::cudnn::build_commit());
  static const convoy::cudnn::PluginFacts facts{
      .abi = static_cast<uint32_t>(std::stoul(planted("abi", std::to_string(convoy::cudnn::plugin_abi)))),
      .commit = commit.c_str(),
      .built = {.toolkit = std::stoi(planted("toolkit", "13000")),
                .cudnn = std::stoi(planted("cudnn", "91900")),
                .architectures = {80, 90},
                .ptx = std::stoi(planted("ptx", "90"))},
      .make = make};
  return &facts;
}

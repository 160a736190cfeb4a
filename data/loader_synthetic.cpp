#include <vector>

#include "base/error.h"
#include "data/loader.h"

namespace convoy {
namespace {

class SyntheticLoader final : public Loader {
 public:
  explicit SyntheticLoader(const SyntheticOptions& options) : options_(options) {
    require(
        options.batch > 0 && options.input > 0 && options.classes > 0 && options.samples > 0, Exit::usage,
        "synthetic batches need images, a size and classes: {} images of {} pixels, {} classes, {} samples",
        options.batch, options.input, options.classes, options.samples);
    const auto side = static_cast<size_t>(options.input);
    images_.resize(static_cast<size_t>(options.batch) * 3 * side * side);
    const Random random(options.seed, stream_of("synthetic images"));
    for (size_t i = 0; i < images_.size(); i += 2) {
      const Philox4 words = random.block(i / 2);
      images_[i] = static_cast<float>(normal(words[0], words[1]));
      if (i + 1 < images_.size()) images_[i + 1] = static_cast<float>(normal(words[2], words[3]));
    }
    for (int i = 0; i < options.batch; ++i) labels_.push_back(i % options.classes);
  }

  Batch next(int64_t step, int worker) override {
    Batch batch;
    batch.images = images_;
    batch.labels = labels_;
    batch.seed = options_.seed;
    batch.step = step;
    batch.worker = worker;
    return batch;
  }
  int64_t samples() const override { return options_.samples; }
  int classes() const override { return options_.classes; }
  double waited_seconds() const override { return 0; }

 private:
  SyntheticOptions options_;
  std::vector<float> images_;
  std::vector<int32_t> labels_;
};

}  // namespace

std::unique_ptr<Loader> make_synthetic_loader(const SyntheticOptions& options) {
  return std::make_unique<SyntheticLoader>(options);
}

}  // namespace convoy

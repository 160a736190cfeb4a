#include "data/loader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>

#include "base/error.h"
#include "base/spans.h"
#include "data/coefficient_record.h"
#include "data/loader_order.h"
#include "data/loader_ring.h"
#include "data/picture_room.h"

namespace convoy {
namespace {

constexpr int held_slots = 2;  // the last batch and this one: port/loader.h
constexpr int ahead = 2;       // batches prepared before they are asked for

struct ThreadState {
  std::vector<std::byte> encoded;
  Image image;
  Scratch scratch;
};

class DatasetLoader final : public Loader {
 public:
  DatasetLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        options_(options),
        order_(dataset_->samples(), options.training, options.seed),
        image_elements_(size_t{3} * static_cast<size_t>(options.transform.input) *
                        static_cast<size_t>(options.transform.input)),
        threads_(static_cast<size_t>(std::max(1, options.threads))) {
    check(options_.transform);
    require(options_.workers > 0 && options_.batch > 0 && !options_.local_workers.empty(), Exit::usage,
            "a loader needs workers and images per worker, but has {} and {}", options_.workers,
            options_.batch);
    const int slots = held_slots + (options_.prefetch ? ahead : 0);
    const auto batch = static_cast<size_t>(options_.batch);
    for (int i = 0; i < slots; ++i) {
      const bool planes = options_.input == DeviceInput::planes;
      images_.emplace_back(planes ? batch * image_elements_ : 0);
      pictures_.emplace_back(planes ? 0 : batch);
      rooms_.emplace_back(planes ? 0 : batch);
      labels_.emplace_back(batch);
    }
    const int64_t global = int64_t{options_.workers} * options_.batch;
    held_out_steps_ = (dataset_->samples() + global - 1) / global;
    ring_ = std::make_unique<LoaderRing>(
        slots, options_.batch, static_cast<int>(threads_.size()),
        [this](const Job& job, int image, int slot, int thread) { prepare_timed(job, image, slot, thread); });
  }

  Batch next(int64_t step, int worker) override {
    ensure(step >= 0 && worker >= 0 && worker < options_.workers);
    const auto start = std::chrono::steady_clock::now();
    std::array<Job, 1 + ahead> wanted{Job{step, worker}};
    size_t count = 1;
    for (Job job = wanted[0]; options_.prefetch && count < wanted.size() && advance(job);)
      wanted[count++] = job;
    const auto slot = static_cast<size_t>(ring_->take(std::span(wanted).first(count)));
    const auto end = std::chrono::steady_clock::now();
    waited_ += std::chrono::duration<double>(end - start).count();
    if (options_.spans != nullptr)
      options_.spans->add({.lane = Span::Lane::input,
                           .name = "wait for worker",
                           .number = worker,
                           .begin = start,
                           .end = end});
    Batch batch;
    batch.images = images_[slot];
    batch.pictures = pictures_[slot];
    batch.shades = shades_of(options_.transform);
    batch.labels = labels_[slot];
    batch.seed = options_.seed;
    batch.step = step;
    batch.worker = worker;
    return batch;
  }

  int64_t samples() const override { return dataset_->samples(); }
  int classes() const override { return dataset_->classes(); }
  double waited_seconds() const override { return waited_; }

 private:
  // What this rank will ask for after `job`; held-out sets begin again at the end, for the next evaluation.
  bool advance(Job& job) const {
    const auto& local = options_.local_workers;
    const auto place = std::find(local.begin(), local.end(), job.worker);
    if (place == local.end()) return false;
    if (place + 1 != local.end()) {
      job.worker = *(place + 1);
      return true;
    }
    job.worker = local.front();
    ++job.step;
    if (!options_.training && job.step >= held_out_steps_) job.step = 0;
    return true;
  }

  void prepare_timed(const Job& job, int image, int slot, int thread) {
    const auto start = std::chrono::steady_clock::now();
    prepare(job, image, slot, thread);
    if (options_.spans != nullptr)
      options_.spans->add({.lane = Span::Lane::decode,
                           .name = "image of step",
                           .number = job.step,
                           .thread = thread,
                           .begin = start,
                           .end = std::chrono::steady_clock::now()});
  }

  void prepare(const Job& job, int image, int slot, int thread) {
    auto& state = threads_[static_cast<size_t>(thread)];
    const auto i = static_cast<size_t>(image), s = static_cast<size_t>(slot);
    const Place place = order_.at((job.step * options_.workers + job.worker) * options_.batch + image);
    labels_[s][i] = place.sample < 0 ? -1 : dataset_->label(place.sample);
    if (options_.input != DeviceInput::planes) {
      pictures_[s][i] = place.sample < 0 ? Picture{} : picture_of(place, state, rooms_[s][i]);
      return;
    }
    const std::span<float> chw(images_[s].data() + i * image_elements_, image_elements_);
    if (place.sample < 0) {
      std::fill(chw.begin(), chw.end(), 0.0f);
      return;
    }
    dataset_->read(place.sample, state.encoded);
    const View view = decoded(place, state);
    convoy::prepare(state.image, view, options_.transform, chw, state.scratch);
  }

  Picture picture_of(const Place& place, ThreadState& state, PictureRoom& room) const {
    dataset_->read(place.sample, state.encoded);
    // What libjpeg can live with, a GPU's decoder may not.
    if (options_.input == DeviceInput::files && !dataset_->damaged(place.sample))
      if (const auto size = plain_jpeg(state.encoded);
          size && PictureRoom::fits(state.encoded, *size, options_.transform.input)) {
        const View view = view_of(place, size->width, size->height);
        return room.file(state.encoded, size->width, size->height, view, state.scratch.resize);
      }
    const View view = decoded(place, state);
    return room.pixels(state.image, view, state.scratch);
  }

  // What the view needs of the encoded image is in state.image then.
  View decoded(const Place& place, ThreadState& state) const {
    View view;
    try {
      const auto wanted = [&](int width, int height) {
        view = view_of(place, width, height);
        return needed(view);
      };
      decode_part(state.encoded, std::cref(wanted), state.image);  // by reference: a copy would allocate
    } catch (const Error& error) {  // the bytes are those that were packed, and decoded then
      fail("{}: cannot be decoded any more: {}{}", dataset_->where(place.sample), error.what(),
           is_coefficient_record(state.encoded)
               ? ""
               : "; is this another version of the JPEG library? Pack again");
    }
    return view;
  }

  View view_of(const Place& place, int width, int height) const {
    return options_.training ? train_view(width, height, options_.transform, random_of(place))
                             : held_out_view(width, height, options_.transform);
  }

  Random random_of(const Place& place) const {
    return Random(options_.seed, stream_of("augment", static_cast<uint64_t>(place.epoch),
                                           static_cast<uint64_t>(place.sample)));
  }

  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  DataOrder order_;
  size_t image_elements_;
  std::vector<ThreadState> threads_;
  std::vector<std::vector<float>> images_;  // by slot
  std::vector<std::vector<Picture>> pictures_;
  std::vector<std::vector<PictureRoom>> rooms_;
  std::vector<std::vector<int32_t>> labels_;
  int64_t held_out_steps_ = 0;
  double waited_ = 0;
  std::unique_ptr<LoaderRing> ring_;  // last: its threads use all of the above
};

}  // namespace

std::unique_ptr<Loader> make_loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options) {
  return std::make_unique<DatasetLoader>(std::move(dataset), options);
}

}  // namespace convoy

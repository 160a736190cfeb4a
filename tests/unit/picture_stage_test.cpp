// Pictures through the fused plan on the host device: the planes that training sees are the loader's, in however many groups
// they come, and a run ends with the same gradients.
#include "backends/fused/picture_stage.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "backends/fused/fused.h"
#include "base/error.h"
#include "data/picture_room.h"

namespace convoy::fused {
namespace {

constexpr int side = 24;

Image noise(int width, int height, uint64_t seed) {
  Image image{width, height,
              std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  const Random random(seed, 1);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(random.bits(i) >> 24);
  return image;
}

// A minibatch in both forms. Image 1 is padding; of `large` ones 16 fill a group, or 3 that are files: those are "encoded" as their
// own pixels.
struct Given {
  std::vector<float> planes;
  std::vector<Picture> pictures;
  std::vector<PictureRoom> rooms;
  Transform transform{.input = side, .resize = 30};
  Given(int images, int large, bool files, uint64_t seed = 3) : rooms(static_cast<size_t>(images)) {
    Scratch scratch;
    for (int i = 0; i < images; ++i) {
      planes.resize(planes.size() + size_t{3} * side * side);
      if (i == 1) {
        pictures.emplace_back();
        continue;
      }
      const bool is_large = i >= images - large;
      const bool is_file = files && i % 2 == 0;
      const Image image = noise(!is_large ? 40 + i
                                : is_file ? 3000
                                          : 560,
                                !is_large ? 60
                                : is_file ? 2000
                                          : 600,
                                seed + static_cast<uint64_t>(i));
      Transform t = transform;
      if (is_large) t.min_area = 0.98;
      const View view = train_view(image.width, image.height, t, Random(seed, static_cast<uint64_t>(i)));
      prepare(image, view, t, std::span(planes).last(size_t{3} * side * side), scratch);
      auto& room = rooms[static_cast<size_t>(i)];
      if (is_file) {
        const auto bytes = std::as_bytes(std::span(image.rgb));
        std::vector<std::byte> encoded(bytes.begin(), bytes.end());
        pictures.push_back(room.file(encoded, image.width, image.height, view, scratch.resize));
      } else {
        pictures.push_back(room.pixels(image, view, scratch));
      }
    }
  }
  Batch batch() const {
    Batch batch;
    batch.pictures = pictures;
    batch.shades = shades_of(transform);
    return batch;
  }
};

void copy_pixels(std::span<const std::byte> file, std::span<std::byte> rgb) {
  REQUIRE(file.size() == rgb.size());
  std::memcpy(rgb.data(), file.data(), file.size());
}

std::shared_ptr<Device> device_of(bool decodes) {
  HostOptions options{.threads = 2};
  if (decodes) options.decode = copy_pixels;
  return make_host_device(options);
}

Graph network() {
  GraphBuilder g("pictures", {3, side, side});
  int x = g.conv("conv", 0, {8, {3, 3}, {2, 2}, {1, 1}, 1, false}, {Init::Kind::normal, 0.3f});
  x = g.relu("relu", g.batchnorm("norm", x, {.group = 2}));
  g.softmax_loss("loss",
                 g.linear("fc", g.pool("pool", x, {Pool::Kind::average, {12, 12}, {1, 1}, {0, 0}}), {5, true},
                          {Init::Kind::normal, 0.3f}),
                 0.0f);
  return g.finish();
}

}  // namespace

TEST_CASE("picture stage: the planes of every group, decoded or not, and zeros for padding") {
  for (const bool files : {false, true})
    for (const int large : {0, files ? 8 : 36}) {
      const int images = large + 4;
      const size_t bytes = static_cast<size_t>(images) * 3 * side * side * sizeof(float);
      const auto device = device_of(files);
      const auto queue = device->make_queue();
      const Memory planes = allocate(*device, bytes, Place::device);
      PictureStage stage(*device, images, side, planes.get(), 2, files);
      for (uint64_t step = 0; step < 3; ++step) {  // the rooms are used again
        const Given given(images, large, files, 3 + 100 * step);
        std::memset(planes.get(), 0xff, given.planes.size() * sizeof(float));
        stage.send(given.batch(), *queue);
        queue->finish();
        INFO((files ? "files" : "pixels") << ", " << large << " large, step " << step);
        CHECK(std::memcmp(planes.get(), given.planes.data(), given.planes.size() * sizeof(float)) == 0);
      }
      CHECK(stage.bytes() == (size_t{3 * 16} << 20) + (files ? size_t{64} << 20 : 0));
    }
}

TEST_CASE("picture stage: a plan trains on pictures to the same bits, and refuses what it cannot take") {
  const Graph graph = network();
  const Program program = lower(graph, 4);
  const std::vector<int32_t> labels{1, -1, 0, 4};
  const Given given(4, 0, false);
  const auto gradients = [&](bool pictures) {
    Arena arena(graph, program.layout, 0);
    arena.initialize(7);
    const auto backend =
        make_fused("fused", device_of(false), {.threads = 2, .input = DeviceInput::pictures});
    const auto plan = backend->compile(program, arena, {});
    for (int run = 0; run < 3; ++run) {  // by itself, recorded, launched
      Batch batch = given.batch();
      batch.labels = labels;
      if (!pictures) batch.pictures = {}, batch.images = given.planes;
      plan->train(batch, {});
    }
    return std::vector<float>(arena.grads().begin(), arena.grads().end());
  };
  CHECK(gradients(true) == gradients(false));

  Arena arena(graph, program.layout, 0);
  const auto backend = make_fused("fused", device_of(false), {.input = DeviceInput::pictures});
  CHECK(make_fused("fused", device_of(false), {})->device().input == DeviceInput::planes);
  CHECK(backend->device().input == DeviceInput::pictures);
  const auto plan = backend->compile(program, arena, {});
  Batch batch = given.batch();
  batch.labels = labels;
  batch.pictures = batch.pictures.first(3);
  CHECK_THROWS_WITH(plan->train(batch, {}), Catch::Contains("3 pictures were given to a plan for 4 images"));
  const Given encoded(4, 0, true);
  batch.pictures = encoded.pictures;
  CHECK_THROWS_WITH(plan->train(batch, {}), Catch::Contains("decodes none"));
  CHECK_THROWS_WITH(
      make_fused("fused", device_of(false), {})->compile(program, arena, {})->train(given.batch(), {}),
      Catch::Contains("takes planes alone"));
  CHECK_THROWS_WITH(make_fused("fused", device_of(false), {.input = DeviceInput::files}),
                    Catch::Contains("has no JPEG decoder"));
  CHECK(make_fused("fused", device_of(true), {.input = DeviceInput::files})->device().library ==
        "none, the host's decoder");
}

TEST_CASE("picture stage: a decoder that fails is the step's error") {
  HostOptions options;
  options.decode = [](std::span<const std::byte>, std::span<std::byte>) { fail("a damaged JPEG"); };
  const Graph graph = network();
  const Program program = lower(graph, 4);
  Arena arena(graph, program.layout, 0);
  const auto plan = make_fused("fused", make_host_device(options), {.input = DeviceInput::files})
                        ->compile(program, arena, {});
  const Given given(4, 0, true);
  const std::vector<int32_t> labels{1, -1, 0, 4};
  Batch batch = given.batch();
  batch.labels = labels;
  CHECK_THROWS_WITH(plan->train(batch, {}), Catch::Contains("a damaged JPEG"));
}

}  // namespace convoy::fused

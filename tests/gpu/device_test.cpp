// The CUDA runtime's half of the backend on a GPU: memory, queues, marks inside recorded graphs, errors; and the optimizers'
// vector, whose bits must be the host's.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

#include "../support/many_tensors.h"
#include "../support/one_tensor.h"
#include "backends/common/host_vector.h"
#include "backends/cudnn/cuda_device.h"
#include "backends/fused/host_copies.h"
#include "backends/fused/host_device.h"
#include "backends/fused/picture_stage.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

using fused::Place;

struct Piece {  // of the device's memory
  Piece(fused::Device& on, size_t size, Place where)
      : device(on), place(where), memory(on.allocate(size, where)) {}
  ~Piece() { device.release(memory, place); }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  fused::Device& device;
  Place place;
  std::byte* memory;
};

std::span<float> floats(const Buffer& buffer, size_t count) {
  return {reinterpret_cast<float*>(buffer.get()), count};
}

void fill(std::span<float> to, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float& value : to) value = normal(random);
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

TEST_CASE("memory of every kind is zeroed and can be copied to and from") {
  const auto device = make_cuda_device(0);
  const auto queue = device->make_queue();
  constexpr size_t bytes = (1 << 20) + 3;
  std::vector<std::byte> here(bytes, std::byte{0xff});
  for (const Place place : {Place::device, Place::pinned, Place::shared}) {
    const Piece piece(*device, bytes, place), other(*device, bytes, Place::device);
    queue->copy(here.data(), piece.memory, bytes);
    queue->finish();
    CHECK(here == std::vector<std::byte>(bytes));
    for (size_t i = 0; i < bytes; ++i) here[i] = static_cast<std::byte>(i * 7);
    const auto sent = here;
    queue->copy(piece.memory, here.data(), bytes);
    queue->copy(other.memory, piece.memory, bytes);
    queue->clear(piece.memory, bytes);
    queue->finish();
    queue->copy(here.data(), other.memory, bytes);
    queue->finish();
    CHECK(here == sent);
  }
}

TEST_CASE("shared memory goes to the host's page-locked memory and comes back") {
  const std::shared_ptr<fused::Device> device = make_cuda_device(0);
  const auto copies = fused::make_host_copies(device);
  constexpr size_t count = (1 << 20) + 3;
  const Buffer shared = device->shared_buffer(count * sizeof(float)),
               plain = host_buffer(count * sizeof(float));
  fill(floats(shared, count), 5);
  fill(floats(plain, count), 5);
  const auto memory = copies->allocate(count * sizeof(float));
  const std::span<float> here(reinterpret_cast<float*>(memory.get()), count);
  CHECK(std::ranges::all_of(here, [](float value) { return value == 0; }));
  copies->fetch(here.data(), shared.get(), here.size_bytes());
  CHECK(same_bits(here, floats(plain, count)));
  for (const std::span<float> numbers : {here, floats(plain, count)})
    for (float& value : numbers) value *= 3;
  const size_t half = count / 2 * sizeof(float);
  copies->put(shared.get(), memory.get(), half);
  copies->put(shared.get() + half, memory.get() + half, here.size_bytes() - half);
  copies->finish();
  CHECK(same_bits(floats(shared, count), floats(plain, count)));
}

TEST_CASE("pictures become the planes that the host's own code makes of them") {
  constexpr int images = 120, side = 64;  // of 196 KB: two groups
  const std::shared_ptr<fused::Device> device = make_cuda_device(0), host = fused::make_host_device({});
  std::mt19937 random(7);
  std::vector<std::vector<std::byte>> pixels;
  std::vector<int32_t> first(side),
      weights(3 * side, 1398101);  // a third of 2^22, of every fourth pixel's neighbours
  for (int i = 0; i < side; ++i) first[static_cast<size_t>(i)] = 4 * i;
  std::vector<Picture> pictures(images);  // the last one is padding
  constexpr int width = 4 * side;
  for (int i = 0; i + 1 < images; ++i) {
    pixels.emplace_back(3 * width * width);
    for (std::byte& value : pixels.back()) value = static_cast<std::byte>(random());
    pictures[static_cast<size_t>(i)] = {.bytes = pixels.back(),
                                        .width = width,
                                        .height = width,
                                        .across = {3, first, weights},
                                        .down = {3, first, weights},
                                        .down_first = i % 2 == 1,
                                        .mirror = i % 3 == 1};
  }
  Batch batch;
  batch.pictures = pictures;
  batch.shades = {255.0f, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, true};
  constexpr size_t bytes = sizeof(float) * images * 3 * side * side;
  std::vector<std::vector<std::byte>> found;
  for (fused::Device* each : {device.get(), host.get()}) {
    const auto queue = each->make_queue();
    const Piece planes(*each, bytes, Place::device);
    fused::PictureStage stage(*each, images, side, planes.memory, 1, false);
    for (int run = 0; run < 3; ++run) stage.send(batch, *queue);
    queue->copy(found.emplace_back(bytes).data(), planes.memory, bytes);
    queue->finish();
  }
  CHECK(found[0] == found[1]);
}

TEST_CASE("a mark inside a graph is waited for, at every launch anew") {
  const auto device = make_cuda_device(0);
  const auto queue = device->make_queue();
  constexpr size_t bytes = size_t{1} << 28;  // some tenths of a millisecond a copy
  const Piece from(*device, bytes, Place::device), to(*device, bytes, Place::device);
  const Piece number(*device, sizeof(int), Place::device), seen(*device, sizeof(int), Place::pinned);
  const auto middle = device->make_mark(), end = device->make_mark();
  queue->begin_capture();
  for (int i = 0; i < 20; ++i) queue->copy(to.memory, from.memory, bytes);
  queue->copy(seen.memory, number.memory, sizeof(int));
  queue->record(*middle);
  for (int i = 0; i < 20; ++i) queue->copy(from.memory, to.memory, bytes);
  queue->record(*end);
  const auto graph = queue->end_capture();
  for (int launch = 1; launch <= 20; ++launch) {
    queue->copy(number.memory, &launch, sizeof(int));
    queue->finish();
    queue->launch(*graph);
    middle->wait();
    int value = 0;
    std::memcpy(&value, seen.memory, sizeof(int));
    CHECK(value == launch);
    end->wait();
  }
  queue->finish();
}

TEST_CASE("one queue waits for another's mark") {
  const auto device = make_cuda_device(0);
  const auto first = device->make_queue(), second = device->make_queue();
  constexpr size_t bytes = size_t{1} << 28;
  const Piece from(*device, bytes, Place::shared), through(*device, bytes, Place::device),
      to(*device, bytes, Place::device);
  std::memset(from.memory, 0x5a, bytes);
  const auto mark = device->make_mark();
  for (int i = 0; i < 10; ++i) first->copy(through.memory, from.memory, bytes);
  first->record(*mark);
  second->wait(*mark);
  second->copy(to.memory, through.memory, bytes);
  second->finish();
  std::vector<std::byte> here(bytes);
  second->copy(here.data(), to.memory, bytes);
  second->finish();
  CHECK(here == std::vector<std::byte>(bytes, std::byte{0x5a}));
}

TEST_CASE("more memory than there is: asked for, free and what to do") {
  const auto device = make_cuda_device(0);
  const size_t all = device->facts().memory;
  CHECK_THROWS_WITH(device->allocate(4 * all, Place::device), Catch::Contains("were asked for") &&
                                                                  Catch::Contains("are free") &&
                                                                  Catch::Contains("fewer images"));
  const Piece after(*device, 1024, Place::device);  // and the device is none the worse for it
  device->make_queue()->finish();
}

TEST_CASE("the optimizers' vector has the host's bits, whatever memory it is given") {
  const auto device = make_cuda_device(0);
  Vector& there = device->vector();
  HostVector host(1);
  for (const size_t count : {size_t{1}, size_t{17}, size_t{4096}, size_t{4097}, size_t{1000003}}) {
    const Buffer w = device->shared_buffer(count * 4), v = device->shared_buffer(count * 4),
                 m = device->shared_buffer(count * 4);
    const Piece pinned(*device, count * 4, Place::pinned);
    const std::span<float> g(reinterpret_cast<float*>(pinned.memory), count);
    std::vector<float> w2(count), v2(count), m2(count), plain(count);
    fill(g, 1);
    fill(w2, 2);
    fill(v2, 3);
    for (float& value : m2) value = 0.5f;
    const auto reset = [&] {
      std::copy(w2.begin(), w2.end(), floats(w, count).begin());
      std::copy(v2.begin(), v2.end(), floats(v, count).begin());
      std::copy(m2.begin(), m2.end(), floats(m, count).begin());
    };
    reset();
    const auto W = floats(w, count), V = floats(v, count), M = floats(m, count);
    CHECK(there.squared_norm(W) == host.squared_norm(w2));
    CHECK(testing::decayed_squared_norm(there, g, W, 0.25f, 1e-4f) ==
          testing::decayed_squared_norm(host, g, w2, 0.25f, 1e-4f));
    for (const float lookahead : {0.0f, 0.9f}) {
      const MomentumStep step{0.25f, 1e-4f, 0.9f, 0.3f, 0.7f, lookahead};
      testing::momentum_step(there, W, V, g, step);
      testing::momentum_step(host, w2, v2, g, step);
    }
    const RmspropStep step{0.25f, 1e-4f, 0.9f, 0.99f, 0.5f, 0.01f, 1e-3f, 0.1f};
    testing::rmsprop_step(there, W, V, M, g, step);
    testing::rmsprop_step(host, w2, v2, m2, g, step);
    CHECK(same_bits(W, w2));
    CHECK(same_bits(V, v2));
    CHECK(same_bits(M, m2));
    testing::running_average(there, M, g, 0.9f, 0.125f);
    testing::running_average(host, m2, g, 0.9f, 0.125f);
    CHECK(same_bits(M, m2));
    CHECK(there.squared_norm(plain) == 0.0);  // pageable memory, which a GPU may not be able to read
  }
}

TEST_CASE("many tensors a call have the host's bits") {
  const auto device = make_cuda_device(0);
  const testing::ManyTensors tensors(3);
  std::vector<Buffer> kept;
  const auto memory = [&](size_t count) {
    kept.push_back(device->shared_buffer(count * sizeof(float)));
    return floats(kept.back(), count);
  };
  HostVector host(1);
  CHECK(tensors.computed(device->vector(), memory) == tensors.computed(host, memory));
}

}  // namespace convoy::cudnn

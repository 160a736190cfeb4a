// The loader: what stands where, purity in (step, worker), errors that name the place.
#include "data/loader.h"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/error.h"
#include "data/loader_order.h"
#include "data/loader_ring.h"
#include "data/pack.h"
#include "data/shard.h"
#include "limited_memory.h"
#include "pack_fixtures.h"
#include "tests/support/allocations.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

struct Bench {
  fixtures::TemporaryFolder folder;
  fs::path out = folder.path() / "out";
  std::shared_ptr<const Dataset> dataset;
  LoaderOptions options;

  explicit Bench(int classes = 3, int per_class = 7, int shards = 4, Jpegs jpegs = Jpegs::kept) {
    fixtures::write_folder_set(folder.path() / "set", classes, per_class);
    PackOptions pack_options;
    pack_options.source = folder.path() / "set";
    pack_options.out = out;
    pack_options.shards = shards;
    pack_options.jpegs = jpegs;
    LocalCommunicator comm;
    pack(pack_options, comm, Log());
    open();
    options.training = true;
    options.seed = 5;
    options.workers = 3;
    options.batch = 2;
    options.transform.input = 16;
    options.transform.resize = 18;
    options.local_workers = {0, 1, 2};
    options.threads = 2;
  }
  void open() {
    LocalCommunicator comm;
    dataset = std::make_shared<const Dataset>(Dataset::open(out, comm));
  }
};

// Batches as text: labels and pixels.
std::string bits(const Batch& batch) {
  return std::string(reinterpret_cast<const char*>(batch.labels.data()), batch.labels.size_bytes()) +
         std::string(reinterpret_cast<const char*>(batch.images.data()), batch.images.size_bytes());
}

TEST_CASE("loader: once the largest image has been seen, no batch of ordinary images allocates memory") {
  Bench bench(3, 7, 4, GENERATE(Jpegs::kept, Jpegs::coefficients));
  bench.options.training = false;
  bench.options.threads = 1;  // each has buffers of its own, as large as what it has seen
  const auto loader = make_loader(bench.dataset, bench.options);
  const auto pass = [&] {
    for (int64_t step = 0; step * 6 < loader->samples(); ++step)
      for (int worker = 0; worker < 3; ++worker) loader->next(step, worker);
  };
  pass();
  testing::count_allocations(true);
  pass();
  testing::count_allocations(false);
  const int64_t found = testing::counted_allocations();
  for (const std::string& caller : testing::first_callers()) UNSCOPED_INFO(caller);
  CHECK(found == 0);
}

TEST_CASE("loader: JPEGs written anew give the same batches") {
  for (const bool training : {true, false}) {
    std::vector<std::string> batches;
    for (const Jpegs jpegs : {Jpegs::kept, Jpegs::restart_markers, Jpegs::coefficients}) {
      Bench bench(3, 7, 4, jpegs);
      CHECK(bench.dataset->manifest().rewritten == (jpegs == Jpegs::kept ? -1 : 21));
      bench.options.training = training;
      const auto loader = make_loader(bench.dataset, bench.options);
      std::string& all = batches.emplace_back();
      for (int64_t step = 0; step < 8; ++step)
        for (int worker = 0; worker < 3; ++worker) all += bits(loader->next(step, worker));
    }
    CHECK(batches[1] == batches[0]);
    CHECK(batches[2] == batches[0]);
  }
}

TEST_CASE("loader: the order is the concatenation of the epochs' permutations") {
  const int64_t samples = 5;
  const uint64_t seed = 9;
  std::vector<uint32_t> stream;
  for (uint64_t epoch = 0; epoch < 8; ++epoch)
    for (const uint32_t sample : permutation(5, seed, stream_of("order", epoch))) stream.push_back(sample);
  DataOrder order(samples, true, seed);
  for (const int64_t position : {0, 1, 4, 5, 39, 17, 3, 22, 38, 6, 11, 29}) {
    CHECK(order.at(position) == Place{stream[static_cast<size_t>(position)], position / 5});
  }
  DataOrder plain(samples, false, seed);
  CHECK(plain.at(0) == Place{0, 0});
  CHECK(plain.at(4) == Place{4, 0});
  CHECK(plain.at(5).sample == -1);
  CHECK(plain.at(500).sample == -1);
}

TEST_CASE("loader: image i of worker w at step s is prepared from its place in the stream") {
  Bench bench;  // 21 samples, 6 a step: epochs end inside steps
  const auto loader = make_loader(bench.dataset, bench.options);
  CHECK(loader->samples() == 21);
  CHECK(loader->classes() == 3);
  std::vector<uint32_t> stream;
  for (uint64_t epoch = 0; epoch < 4; ++epoch)
    for (const uint32_t sample : permutation(21, 5, stream_of("order", epoch))) stream.push_back(sample);
  std::vector<std::byte> encoded;
  Scratch scratch;
  std::vector<float> expected(3 * 16 * 16);
  for (int64_t step = 0; step < 12; ++step)
    for (int worker = 0; worker < 3; ++worker) {
      const Batch batch = loader->next(step, worker);
      REQUIRE(batch.images.size() == 2 * expected.size());
      CHECK(batch.step == step);
      CHECK(batch.worker == worker);
      CHECK(batch.seed == 5);
      for (int i = 0; i < 2; ++i) {
        const auto position = static_cast<size_t>((step * 3 + worker) * 2 + i);
        const uint32_t sample = stream[position];
        bench.dataset->read(sample, encoded);
        prepare_train(decode(encoded), bench.options.transform,
                      Random(5, stream_of("augment", position / 21, sample)), expected, scratch);
        CHECK(batch.labels[static_cast<size_t>(i)] == bench.dataset->label(sample));
        CHECK(std::memcmp(expected.data(), batch.images.data() + static_cast<size_t>(i) * expected.size(),
                          expected.size() * sizeof(float)) == 0);
      }
    }
}

TEST_CASE("loader: any order of calls, any threads, any local workers give the same bits") {
  Bench bench;
  std::vector<std::string> expected;
  bench.options.threads = 1;
  bench.options.prefetch = false;
  {
    const auto loader = make_loader(bench.dataset, bench.options);
    for (int64_t step = 0; step < 10; ++step)
      for (int worker = 0; worker < 3; ++worker) expected.push_back(bits(loader->next(step, worker)));
  }
  for (const int threads : {1, 2, 5})
    for (const bool prefetch : {false, true})
      for (const auto& local : std::vector<std::vector<int>>{{0, 1, 2}, {1}, {0, 2}}) {
        bench.options.threads = threads;
        bench.options.prefetch = prefetch;
        bench.options.local_workers = local;
        const auto loader = make_loader(bench.dataset, bench.options);
        const auto check = [&](int64_t step, int worker) {
          INFO(threads << " threads, step " << step << ", worker " << worker);
          REQUIRE(bits(loader->next(step, worker)) == expected[static_cast<size_t>(step * 3 + worker)]);
        };
        for (int64_t step = 2; step < 10; ++step)
          for (const int worker : local) check(step, worker);
        for (int64_t step = 9; step >= 0; --step) check(step, static_cast<int>(step % 3));
        for (int i = 0; i < 3; ++i) check(4, 1);
        Random random(1, 2);
        for (int i = 0; i < 40; ++i) check(random.next_below(10), static_cast<int>(random.next_below(3)));
      }
}

TEST_CASE("loader: a batch stays as it is until the second next call") {
  Bench bench;
  const auto loader = make_loader(bench.dataset, bench.options);
  Batch before = loader->next(0, 0);
  std::string was = bits(before);
  for (int k = 1; k < 30; ++k) {
    const Batch now = loader->next(k / 3, k % 3);
    REQUIRE(bits(before) == was);
    CHECK(now.images.data() != before.images.data());
    before = now;
    was = bits(now);
  }
}

TEST_CASE("loader: held-out images come in order, once each, the rest is padding") {
  Bench bench;
  bench.options.training = false;
  bench.options.workers = 2;
  bench.options.batch = 4;
  bench.options.local_workers = {0, 1};
  const auto loader = make_loader(bench.dataset, bench.options);
  for (int evaluation = 0; evaluation < 3; ++evaluation) {
    int64_t images = 0;
    for (int64_t step = 0; step < 3; ++step)
      for (int worker = 0; worker < 2; ++worker) {
        const Batch batch = loader->next(step, worker);
        for (size_t i = 0; i < 4; ++i) {
          const int64_t position = (step * 2 + worker) * 4 + static_cast<int64_t>(i);
          const auto pixels = batch.images.subspan(i * 768, 768);
          if (position < 21) {
            ++images;
            REQUIRE(batch.labels[i] == bench.dataset->label(position));
            std::vector<std::byte> encoded;
            bench.dataset->read(position, encoded);
            std::vector<float> expected(768);
            Scratch scratch;
            prepare_held_out(decode(encoded), bench.options.transform, expected, scratch);
            REQUIRE(std::equal(expected.begin(), expected.end(), pixels.begin()));
          } else {
            REQUIRE(batch.labels[i] == -1);
            REQUIRE(std::all_of(pixels.begin(), pixels.end(), [](float p) { return p == 0.0f; }));
          }
        }
      }
    CHECK(images == 21);
  }
}

// Runs whole epochs until the loader complains.
std::string complaint(Loader& loader) {
  try {
    for (int64_t step = 0; step < 20; ++step)
      for (int worker = 0; worker < 3; ++worker) loader.next(step, worker);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void says(const std::string& message, const std::vector<std::string>& words) {
  INFO(message);
  for (const auto& word : words) {
    INFO(word);
    CHECK(message.find(word) != std::string::npos);
  }
}

TEST_CASE("loader: a corrupted record ends the epoch naming shard, record, image, offset and what to do") {
  Bench bench;
  const fs::path path = bench.out / shard_name(2, 4);
  const Shard shard = read_shard(path);
  const ShardRow& row = shard.rows[1];
  const uint64_t at = shard.layout.images + row.offset;
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at + row.length / 2));
    file.put('\x5a').put('\xa5').put('\x5a');
  }
  const auto loader = make_loader(bench.dataset, bench.options);
  for (int i = 0; i < 2; ++i)  // and again, when asked again
    says(complaint(*loader), {path.string(), "record 1 (", row.name, fmt::format("offset {}", at),
                              "wrong checksum", "convoy verify " + bench.out.string()});
}

TEST_CASE("loader: a shard truncated during the run ends the epoch in the same words") {
  Bench bench;
  const fs::path path = bench.out / shard_name(1, 4);
  const auto loader = make_loader(bench.dataset, bench.options);
  loader->next(0, 0);
  fs::resize_file(path, read_shard(path).layout.images);
  says(complaint(*loader), {path.string(), "record ", "n0000000", "offset ", "truncated", "convoy verify"});
}

TEST_CASE("loader: a shard removed during the run ends the epoch in the same words") {
  for (const bool opened : {true, false}) {
    Bench bench;
    const fs::path path = bench.out / shard_name(0, 4);
    const auto loader = make_loader(bench.dataset, bench.options);
    std::vector<std::byte> encoded;
    if (opened) bench.dataset->read(0, encoded);
    fs::remove(path);
    says(complaint(*loader),
         {path.string(), "record ", "offset ", opened ? "removed while" : "No such file", "convoy verify"});
  }
}

TEST_CASE("loader: more shards than files held open") {
  Bench bench(2, 20, 40);
  std::vector<fs::path> paths;
  for (int i = 0; i < 40; ++i) paths.push_back(bench.out / shard_name(i, 40));
  FileCache cache(paths, 3);
  const auto first = cache.get(0);
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < 40; ++i) CHECK(cache.get(i)->path() == paths[i]);
  CHECK(first->size() == fs::file_size(paths[0]));
}

TEST_CASE("loader: synthetic batches are one batch of noise, labels through all classes") {
  const auto loader =
      make_synthetic_loader({.samples = 1000, .classes = 3, .input = 20, .batch = 7, .seed = 4});
  const Batch batch = loader->next(3, 2);
  CHECK(batch.images.size() == 7 * 3 * 400);
  CHECK(std::vector<int32_t>(batch.labels.begin(), batch.labels.end()) ==
        std::vector<int32_t>{0, 1, 2, 0, 1, 2, 0});
  CHECK(bits(loader->next(9, 0)) == bits(batch));
  double sum = 0, squares = 0;
  for (const float x : batch.images) sum += x, squares += x * x;
  CHECK(sum / 8400 == Approx(0).margin(0.05));
  CHECK(squares / 8400 == Approx(1).margin(0.08));
  CHECK_THROWS_AS(make_synthetic_loader({.batch = 0}), Error);
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory no limit leaves room for
TEST_CASE("loader: threads that cannot be started are an error, not a wait without end") {
  fixtures::succeeds_within(rlim_t{200} << 20, [] {  // room for the stacks of a few threads
    ::alarm(60);
    try {
      const LoaderRing ring(2, 1, 500, [](const Job&, int, int, int) {});
    } catch (const std::system_error&) {
      return 0;
    }
    return 1;
  });
}
#endif

}  // namespace
}  // namespace convoy

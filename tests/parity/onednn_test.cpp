// Promises of the onednn backend beyond right numbers: the same bits when run again and after other work, nothing
// allocated after the first step, slow kernels refused by name, the ISA it tells is the one its kernels have.
#include <malloc.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "backends/plugin.h"
#include "backends/registry.h"
#include "base/error.h"
#include "net/resnet.h"
#include "runner.h"

// Every allocation in this program, by whatever thread and library, is counted here: what is in use, over all arenas of
// the C library. Of operator new the largest request is remembered too; what a library takes from malloc or
// posix_memalign and gives back within a step is not looked at.
namespace {
std::atomic<size_t> bytes_in_use{0}, largest_new{0};

void* counted(void* memory) {
  bytes_in_use += ::malloc_usable_size(memory);
  return memory;
}
}  // namespace

void* operator new(size_t bytes) {
  for (size_t seen = largest_new; bytes > seen && !largest_new.compare_exchange_weak(seen, bytes);) {
  }
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

void* malloc(size_t bytes) noexcept { return counted(__libc_malloc(bytes)); }
void* calloc(size_t count, size_t each) noexcept { return counted(__libc_calloc(count, each)); }
void* realloc(void* memory, size_t bytes) noexcept {
  bytes_in_use -= ::malloc_usable_size(memory);
  return counted(__libc_realloc(memory, bytes));
}
void* memalign(size_t to, size_t bytes) noexcept { return counted(__libc_memalign(to, bytes)); }
void* aligned_alloc(size_t to, size_t bytes) noexcept { return counted(__libc_memalign(to, bytes)); }
int posix_memalign(void** memory, size_t to, size_t bytes) noexcept {
  *memory = counted(__libc_memalign(to, bytes));
  return *memory != nullptr ? 0 : ENOMEM;
}
void free(void* memory) noexcept {
  bytes_in_use -= ::malloc_usable_size(memory);
  __libc_free(memory);
}
}

namespace convoy::onednn {
bool is_reference_name(const std::string& implementation);  // of builder.h, which needs the library's headers
}

namespace convoy::parity {

namespace {

// Enough images for the convolutions of 2x2 and 1x1 pixels in layers 3 and 4 to become matrix products.
struct Small {
  static constexpr int images = 16;
  Graph graph;
  Program program;
  Arena arena;
  Numbers numbers;
  static Graph network() {
    ResnetOptions options;
    options.depth = 18;
    options.classes = 10;
    options.input = 32;
    return resnet(options);
  }
  explicit Small(Mode mode = Mode::training)
      : graph(network()), program(lower(graph, images, {.mode = mode})), arena(graph, program.layout, 0) {
    arena.initialize(5);
    numbers.images.resize(images * 3 * 32 * 32);
    fill_normal(numbers.images, 9);
    for (int i = 0; i < images; ++i) numbers.labels.push_back(i % 10);
  }
  std::vector<float> gradients(Plan& plan) {
    plan.train(numbers.batch(), [](BucketId, Event) {});
    return {arena.grads().begin(), arena.grads().end()};
  }
};

const ReadyFn nobody = [](BucketId, Event) {};

}  // namespace

TEST_CASE("the same bits when run again, after other work, and from another plan") {
  Small small;
  const auto backend = make_backend("onednn", 2);
  const auto plan = backend->compile(small.program, small.arena, {});
  const std::vector<float> first = small.gradients(*plan);
  CHECK(small.gradients(*plan) == first);

  // Other work: another batch through the same plan, an evaluation, and a plan of another batch size.
  fill_normal(small.numbers.images, 10);
  CHECK(small.gradients(*plan) != first);
  Small held_out(Mode::inference);
  const auto evaluation = backend->compile(held_out.program, held_out.arena, {});
  evaluation->infer(held_out.numbers.batch());
  fill_normal(small.numbers.images, 9);
  CHECK(small.gradients(*plan) == first);

  const auto again = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  CHECK(small.gradients(*again) == first);
}

TEST_CASE("new weights are taken when the arena says so") {
  Small small;
  const auto plan = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  const std::vector<float> first = small.gradients(*plan);
  for (float& w : small.arena.weights()) w *= 1.5f;
  small.arena.weights_changed();
  const std::vector<float> second = small.gradients(*plan);
  CHECK(second != first);
  const auto fresh = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  CHECK(small.gradients(*fresh) == second);
}

TEST_CASE("nothing is allocated after the first step") {
  Small small;
  const auto plan = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  const Batch batch = small.numbers.batch();
  plan->train(batch, nobody);
  const size_t before = bytes_in_use;
  largest_new = 0;
  for (int i = 0; i < 10; ++i) {
    small.arena.weights_changed();  // reordering the weights is part of it
    plan->train(batch, nobody);
  }
  CHECK(bytes_in_use < before + 1024);
  // The library keeps short lists of arguments while a primitive runs; no buffer is among them.
  CHECK(largest_new < 4096);
  void* planted = nullptr;  // so that the test could fail
  REQUIRE(::posix_memalign(&planted, 64, 8192) == 0);
  CHECK(bytes_in_use >= before + 8192);
  std::free(planted);
}

TEST_CASE("the plan can be printed") {
  Small small;
  const auto plan = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  const PlanInfo info = plan->info();
  REQUIRE(info.steps.size() == small.program.steps.size());
  const std::string isa = make_backend("onednn", 2)->device().isa;
  CHECK(isa.find_first_of(": ") == std::string::npos);
  CHECK_FALSE(onednn::is_reference_name(isa));
  int convolutions = 0, probed = 0, products = 0;
  for (size_t s = 0; s < info.steps.size(); ++s) {
    CHECK(info.steps[s].node == small.program.steps[s].node);
    CHECK_FALSE(info.steps[s].implementation.empty());
    CHECK_FALSE(onednn::is_reference_name(info.steps[s].implementation));
    const Node& node = small.graph.nodes[static_cast<size_t>(info.steps[s].node)];
    // Which instructions a convolution uses is its own matter: on some machines not all have the probed one's.
    if (std::holds_alternative<Conv>(node.op)) {
      ++convolutions;
      products += info.steps[s].implementation.find("convoy:fold") != std::string::npos;
      probed += info.steps[s].implementation.find(":" + isa) != std::string::npos;
    }
  }
  CHECK(convolutions > 0);
  if (isa == "avx2" || isa == "avx512_core") CHECK(products == 7);  // of layers 3 and 4, but for the first
  CHECK(probed > 0);  // the ISA that is told is that of one kernel at least
  CHECK(info.activation_bytes > 0);
  // Values and gradients share their memory: less than one buffer for each, and the gradient of layer 3's matrices.
  size_t apart = 0;
  for (const Node& node : small.graph.nodes)
    apart += 2 * Small::images * sizeof(float) * static_cast<size_t>(node.shape.elements());
  constexpr size_t matrix = sizeof(float) * 1024 * 1024;
  CHECK(info.activation_bytes < apart / 2 + matrix);
}

TEST_CASE("a plan refuses what it was not made for") {
  Small small;
  const auto plan = make_backend("onednn", 2)->compile(small.program, small.arena, {});
  Batch batch = small.numbers.batch();
  CHECK_THROWS_WITH(plan->infer(batch), Catch::Contains("compiled for training"));
  batch.images = batch.images.subspan(1);
  CHECK_THROWS_WITH(plan->train(batch, nobody), Catch::Contains("16 images"));
}

TEST_CASE("slow reference kernels are refused by name, unless allowed") {
  // One channel in and out: neither version has a fast convolution for it on AVX2.
  const Problem problem = parse("conv n1 c1 9x9 o1 k9x9 s1x1 p4x4 g1");
  const Program program = lower(graph_of(problem), 1);
  Arena arena(program.graph, program.layout, 0);
  const auto backend = make_backend("onednn", 2);
  try {
    backend->compile(program, arena, {});
    WARN("this machine's oneDNN has a fast kernel for " << problem.text() << ": refusal not tested");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("node conv (conv, 1 image of 1x9x9 to 1x9x9)"));
    CHECK_THAT(error.what(), Catch::Contains("slow reference kernel"));
  }
  const auto difference =
      run_problem(problem, *make_backend("reference", 1), *backend, {.allow_reference_kernels = true});
  CHECK_FALSE(difference.has_value());
}

TEST_CASE("reference kernels are known by their names") {
  for (const char* name : {"ref", "ref:any", "ref_int8:any", "gemm:ref", "simple:ref_any", "jit_ref:any"})
    CHECK(onednn::is_reference_name(name));
  for (const char* name :
       {"", "jit:avx2", "brgconv:avx512_core", "x64:gemm:jit", "prefetch:any", "refined:any", "dref"})
    CHECK_FALSE(onednn::is_reference_name(name));
}

TEST_CASE("backends are known by name") {
  const bool gpu = ask_for_gpus().trouble(0).empty();
  for (const std::string& name : backend_names())
    if (gpu || name.find("cudnn") == std::string::npos)
      CHECK(make_backend(name, 1, 0, usual_precision(name))->device().backend == name);
  CHECK_THROWS_WITH(make_backend("onednm", 1), Catch::Contains("perhaps you mean \"onednn\""));
  CHECK_THROWS_WITH(make_backend("cudnn-mainloop", 1, 0, Precision::bf16),
                    Catch::Contains("fp16 alone") && Catch::Contains("bf16 is asked for"));
  CHECK_THROWS(make_backend("onednn", 0));
}

}  // namespace convoy::parity

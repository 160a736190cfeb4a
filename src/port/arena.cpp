#include "port/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/digest.h"
#include "base/error.h"
#include "base/random.h"
#include "port/weights_digest.h"

namespace convoy {

Buffer host_buffer(size_t bytes) {
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t alignment = bytes >= huge_page ? huge_page : 64;
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  if (alignment == huge_page) ::madvise(memory, rounded, MADV_HUGEPAGE);
  std::memset(memory, 0, rounded);
  return {static_cast<std::byte*>(memory), [](std::byte* p) { std::free(p); }};
}

template <class T>
ArenaOf<T>::ArenaOf(const Graph& graph, const Layout& layout, int states, const Allocate& allocate)
    : graph_(graph),
      layout_(layout),
      weights_(allocate(static_cast<size_t>(layout.elements) * sizeof(T))),
      grads_(allocate(static_cast<size_t>(layout.elements) * sizeof(T))) {
  for (int i = 0; i < states; ++i)
    states_.push_back(allocate(static_cast<size_t>(layout.elements) * sizeof(T)));
}

template <class T>
std::span<T> ArenaOf<T>::grads(int bucket) {
  const Bucket& b = layout_.buckets.at(static_cast<size_t>(bucket));
  return grads().subspan(static_cast<size_t>(b.begin), static_cast<size_t>(b.end - b.begin));
}

template <class T>
std::span<T> ArenaOf<T>::piece(std::span<T> flat, const std::vector<int64_t>& offsets, int index,
                               bool parameter) const {
  const auto i = static_cast<size_t>(index);
  const int64_t count = parameter ? graph_.params.at(i).elements() : graph_.stats.at(i).channels;
  return flat.subspan(static_cast<size_t>(offsets.at(i)), static_cast<size_t>(count));
}

template <class T>
void ArenaOf<T>::initialize(uint64_t seed) {
  for (size_t p = 0; p < graph_.params.size(); ++p) {
    const Param& param = graph_.params[p];
    const std::span<T> to = this->param(static_cast<int>(p));
    const Random random(seed, stream_of("init " + param.name));
    for (size_t i = 0; i < to.size(); ++i) {
      float value = param.init.value;
      if (param.init.kind == Init::Kind::normal) {
        const Philox4 words = random.block(i / 2);
        value *= static_cast<float>(normal(words[i % 2 * 2], words[i % 2 * 2 + 1]));
      } else if (param.init.kind == Init::Kind::uniform) {
        value *= static_cast<float>(2.0 * unit(random.bits(i)) - 1.0);
      }
      to[i] = value;
    }
  }
  for (size_t s = 0; s < graph_.stats.size(); ++s)
    for (T& value : stat(static_cast<int>(s))) value = graph_.stats[s].initial;
  for (auto& state : states_) std::memset(state.get(), 0, static_cast<size_t>(layout_.elements) * sizeof(T));
  weights_changed();
}

namespace {

template <class T>
void add_to(Digest& digest, const Graph& graph, const Layout& layout, std::span<const T> flat) {
  for (const Segment& segment : layout.segments) {
    const auto index = static_cast<size_t>(segment.index);
    digest.add(segment.kind == Segment::Kind::parameter ? graph.params[index].name : graph.stats[index].name);
    digest.add(flat.data() + segment.offset, static_cast<size_t>(segment.count) * sizeof(T));
  }
}

}  // namespace

template <class T>
void ArenaOf<T>::digest_of(const Buffer& values, Digest& into) const {
  add_to<T>(into, graph_, layout_, span_of(values));
}

template <class T>
std::string ArenaOf<T>::digest() const {
  Digest digest;
  digest_of(weights_, digest);
  return digest.hex();
}

template <class T>
std::string ArenaOf<T>::digest_states() const {
  Digest digest;
  for (const Buffer& state : states_) digest_of(state, digest);
  return digest.hex();
}

std::string weights_digest(const Graph& graph, const Layout& layout, std::span<const float> weights) {
  Digest digest;
  add_to(digest, graph, layout, weights);
  return digest.hex();
}

template class ArenaOf<float>;
template class ArenaOf<double>;

}  // namespace convoy

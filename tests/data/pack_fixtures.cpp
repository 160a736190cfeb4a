#include "pack_fixtures.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/error.h"
#include "data/shard.h"

namespace convoy::fixtures {
namespace fs = std::filesystem;

Bytes numbered_jpeg(int number, int width, int height) {
  std::vector<uint8_t> rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        rgb.push_back(static_cast<uint8_t>(x * (number % 7 + 1) + y * (number % 11 + 2) + 60 * c + number));
  JpegStyle style;
  style.quality = 70 + number % 25;
  return jpeg(width, height, 3, rgb, style);
}

void write_bytes(const fs::path& path, const Bytes& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> contents(const fs::path& folder) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(folder))
    all.push_back(entry.path().filename().string() + "\n" + read_file(entry.path()));
  std::sort(all.begin(), all.end());
  return all;
}

void write_folder_set(const fs::path& root, int classes, int per_class) {
  for (int c = 1; c <= classes; ++c)
    for (int i = 0; i < per_class; ++i)
      write_bytes(root / fmt::format("n{:08}", c) / fmt::format("image{:02}.JPEG", i),
                  numbered_jpeg(100 * c + i));
}

Bench::Bench(int classes, int per_class, int shards) {
  options.source = folder.path() / "set";
  options.out = folder.path() / "out";
  options.shards = shards;
  write_folder_set(options.source, classes, per_class);
}

PackReport Bench::pack() {
  LocalCommunicator comm;
  return convoy::pack(options, comm, Log());
}

fs::path Bench::shard(int i) const { return options.out / shard_name(i, options.shards); }

Tar& Tar::raw(const std::string& name, uint64_t size, const Bytes& content, char type,
              const std::string& link) {
  std::array<char, 512> header{};
  const auto put = [&](size_t at, const std::string& text, size_t width) {
    text.copy(header.data() + at, width);
  };
  put(0, name, 100);
  put(100, "0000644", 8);
  put(108, "0000000", 8);
  put(116, "0000000", 8);
  if (size >> 33) {  // GNU's base 256
    header[124] = static_cast<char>(0x80);
    for (size_t i = 0; i < 8; ++i) header[135 - i] = static_cast<char>(size >> 8 * i);
  } else {
    put(124, fmt::format("{:011o}", size), 12);
  }
  put(136, "00000000000", 12);
  header[156] = dialect_ == Dialect::v7 && type == '0' ? '\0' : type;
  put(157, link, 100);
  if (dialect_ == Dialect::gnu) put(257, "ustar  ", 8);
  if (dialect_ == Dialect::ustar || dialect_ == Dialect::pax)
    std::memcpy(header.data() + 257, "ustar\00000", 8);
  if (dialect_ == Dialect::ustar && name.size() > 100) {
    const size_t cut = name.rfind('/');
    std::fill_n(header.begin(), 100, '\0');
    put(345, name.substr(0, cut), 155);
    put(0, name.substr(cut + 1), 100);
  }
  put(148, "        ", 8);
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::fill_n(header.begin() + 148, 8, '\0');
  put(148, fmt::format("{:06o}", sum), 6);
  header[155] = ' ';
  for (const char c : header) bytes_.push_back(static_cast<std::byte>(c));
  bytes_.insert(bytes_.end(), content.begin(), content.end());
  bytes_.resize((bytes_.size() + 511) / 512 * 512);
  return *this;
}

Tar& Tar::add(const std::string& name, const Bytes& content, char type, const std::string& link) {
  const auto bytes_of = [](const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return Bytes(data, data + text.size());
  };
  if (dialect_ == Dialect::gnu && name.size() > 100)
    raw("././@LongLink", name.size() + 1, bytes_of(name + '\0'), 'L');
  if (dialect_ == Dialect::pax) {
    const auto record = [](const std::string& text) {
      size_t length = text.size() + 3;
      while (std::to_string(length).size() + text.size() + 2 != length) ++length;
      return fmt::format("{} {}\n", length, text);
    };
    const std::string records =
        record("comment=none") + record("path=" + name) + record(fmt::format("size={}", content.size()));
    raw("PaxHeaders/x", records.size(), bytes_of(records), 'x');
    return raw("cut", 0, content, type, link);  // the size stands in the pax header
  }
  return raw(name, content.size(), content, type, link);
}

Bytes Tar::finish() const {
  Bytes whole = bytes_;
  whole.resize(whole.size() + 1024);
  return whole;
}

namespace {

struct Meeting {
  explicit Meeting(int count) : ranks(count), texts(static_cast<size_t>(count)) {}
  const int ranks;
  std::mutex mutex;
  std::condition_variable all;
  int arrived = 0;
  int64_t round = 0;
  bool broken = false;
  std::vector<std::string> texts;  // what each rank brought to this meeting

  void abandon() {
    const std::lock_guard lock(mutex);
    broken = true;
    all.notify_all();
  }
  void meet() {
    std::unique_lock lock(mutex);
    const int64_t mine = round;
    if (++arrived == ranks) {
      arrived = 0;
      ++round;
      all.notify_all();
    }
    all.wait(lock, [&] { return broken || round != mine; });
    if (round == mine) throw std::runtime_error("another rank has failed");
  }
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return meeting_.ranks; }
  std::string host() const override { return "threads"; }
  void barrier() override { meeting_.meet(); }
  std::vector<std::string> gather(const std::string& mine) override {
    meeting_.texts[static_cast<size_t>(rank_)] = mine;
    meeting_.meet();
    const auto all = meeting_.texts;
    meeting_.meet();
    return all;
  }
  void broadcast(std::span<std::byte> data, int root) override {
    const auto all =
        gather(rank_ == root ? std::string(reinterpret_cast<const char*>(data.data()), data.size()) : "");
    const auto& text = all[static_cast<size_t>(root)];
    ensure(text.size() == data.size());
    std::memcpy(data.data(), text.data(), text.size());
  }
  void sum(std::span<int64_t> values) override {
    const auto all = gather(std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
    std::fill(values.begin(), values.end(), 0);
    for (const auto& text : all)
      for (size_t i = 0; i < values.size(); ++i) {
        int64_t value = 0;
        std::memcpy(&value, text.data() + i * sizeof value, sizeof value);
        values[i] += value;
      }
  }
  std::unique_ptr<Pending> start_exchange(int, std::span<const std::byte>, std::span<std::byte>) override {
    fail("not for these tests");
  }
  std::unique_ptr<Pending> start_sum(std::span<float>) override { fail("not for these tests"); }
  std::string library() const override { return "threads"; }

 private:
  Meeting& meeting_;
  int rank_;
};

}  // namespace

void run_ranks(int ranks, const std::function<void(Communicator&)>& body) {
  Meeting meeting(ranks);
  std::exception_ptr first;
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      try {
        ThreadRank comm(meeting, rank);
        body(comm);
      } catch (...) {
        {
          const std::lock_guard lock(meeting.mutex);
          if (!first) first = std::current_exception();
        }
        meeting.abandon();
      }
    });
  threads.clear();
  if (first) std::rethrow_exception(first);
}

}  // namespace convoy::fixtures

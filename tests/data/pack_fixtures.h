// Sets of small images for the tests of pack, verify and loader, tar archives of every dialect, and ranks that are
// threads of this process.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "data/pack.h"
#include "decode_fixtures.h"
#include "port/communicator.h"

namespace convoy::fixtures {

// A JPEG that no other number gives.
Bytes numbered_jpeg(int number, int width = 24, int height = 20);
void write_bytes(const std::filesystem::path& path, const Bytes& bytes);
void write_text(const std::filesystem::path& path, const std::string& text);
std::string read_file(const std::filesystem::path& path);
// Every file of a folder as "name\ncontent", in order: two packed datasets are equal when these are.
std::vector<std::string> contents(const std::filesystem::path& folder);

// root/CLASS/imageNN.JPEG for classes n00000001, n00000002, ...
void write_folder_set(const std::filesystem::path& root, int classes, int per_class);

// A pack of such a set, in a folder of its own.
struct Bench {
  TemporaryFolder folder;
  PackOptions options;
  explicit Bench(int classes = 3, int per_class = 9, int shards = 5);
  PackReport pack();
  std::filesystem::path shard(int i) const;
};

// Tar archives written by hand, so that every dialect can be had.
class Tar {
 public:
  enum class Dialect { v7, ustar, gnu, pax };
  explicit Tar(Dialect dialect = Dialect::ustar) : dialect_(dialect) {}
  Tar& add(const std::string& name, const Bytes& content, char type = '0', const std::string& link = "");
  Tar& raw(const std::string& name, uint64_t size, const Bytes& content, char type,
           const std::string& link = "");
  Bytes finish() const;  // with the end mark

 private:
  Dialect dialect_;
  Bytes bytes_;
};

// `ranks` threads with a Communicator between them. When one throws, the others' collectives throw too; the first
// exception is rethrown.
void run_ranks(int ranks, const std::function<void(Communicator&)>& body);

}  // namespace convoy::fixtures

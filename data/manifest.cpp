#include "data/manifest.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* schema = "convoy.dataset/1";
constexpr const char* digest_key = "\"digest_of_this_file\": \"";

std::string with_digits(std::string text, size_t at, const std::string& digits) {
  return text.replace(at, 32, digits);
}

std::string digest_of(const std::string& text, size_t at) {
  Digest digest;
  digest.add(with_digits(text, at, std::string(32, '0')));
  return digest.hex();
}

// A number of a file that may say anything: the library itself would turn 1e35 into an integer.
template <class T>
void read_whole(T& into, const Json& json, const char* key, const fs::path& path) {
  const Json& found = json.at(key);
  require(found.is_number_unsigned() ? std::in_range<T>(found.get<uint64_t>())
                                     : found.is_number_integer() && std::in_range<T>(found.get<int64_t>()),
          "{} cannot be read as a dataset: its {} is {}, which is no whole number in range; pack again",
          path.string(), key, found.dump(-1, ' ', true, Json::error_handler_t::replace));
  into = found.get<T>();
}

size_t digits_at(const std::string& text) {
  const size_t key = text.rfind(digest_key);
  const size_t at = key + std::char_traits<char>::length(digest_key);
  return key == std::string::npos || at + 32 > text.size() ? std::string::npos : at;
}

}  // namespace

std::string manifest_text(const Manifest& m) {
  Json classes = Json::array(), shards = Json::array();
  for (size_t i = 0; i < m.classes.wnids.size(); ++i)
    classes.push_back(
        {{"wnid", m.classes.wnids[i]}, {"name", m.classes.names[i]}, {"samples", m.histogram[i]}});
  for (const auto& shard : m.shards)
    shards.push_back(
        {{"file", shard.file}, {"bytes", shard.bytes}, {"samples", shard.samples}, {"digest", shard.digest}});
  Json json = {{"schema", schema},
               {"samples", m.samples},
               {"image_bytes", m.image_bytes},
               {"warnings", m.warnings},
               {"quarantined", m.quarantined},
               {"skipped", m.skipped},
               {"duplicates", m.duplicates},
               {"seed", m.seed},
               {"source", m.source},
               {"plan", m.plan},
               {"fingerprint", m.fingerprint}};
  if (!m.jpegs.empty()) json["jpegs"] = m.jpegs;
  if (m.rewritten >= 0) json["rewritten"] = m.rewritten;
  if (!m.quarantine_digest.empty()) json["quarantine_digest"] = m.quarantine_digest;
  json["classes"] = classes;
  json["shards"] = shards;
  json["digest_of_this_file"] = std::string(32, '0');
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  const size_t at = digits_at(text);
  return with_digits(text, at, digest_of(text, at));
}

Manifest parse_manifest(const std::string& text, const fs::path& path) {
  const size_t at = digits_at(text);
  require(at != std::string::npos && digest_of(text, at) == text.substr(at, 32),
          "{} is damaged: its digest does not fit its content; copy it again from the source, or pack again",
          path.string());
  Manifest m;
  try {
    const Json json = Json::parse(text);
    const std::string found = json.at("schema");
    require(found == schema,
            "{} has schema {}, but this program reads {}: use the matching version or pack again",
            path.string(), found, schema);
    read_whole(m.samples, json, "samples", path);
    read_whole(m.image_bytes, json, "image_bytes", path);
    read_whole(m.warnings, json, "warnings", path);
    read_whole(m.quarantined, json, "quarantined", path);
    read_whole(m.skipped, json, "skipped", path);
    read_whole(m.duplicates, json, "duplicates", path);
    read_whole(m.seed, json, "seed", path);
    m.source = json.at("source");
    m.plan = json.at("plan");
    m.fingerprint = json.at("fingerprint");
    m.jpegs = json.value("jpegs", "");
    if (json.contains("rewritten")) read_whole(m.rewritten, json, "rewritten", path);
    m.quarantine_digest = json.value("quarantine_digest", "");
    for (const auto& entry : json.at("classes")) {
      m.classes.wnids.push_back(entry.at("wnid"));
      m.classes.names.push_back(entry.at("name"));
      read_whole(m.histogram.emplace_back(), entry, "samples", path);
    }
    for (const auto& entry : json.at("shards")) {
      ShardEntry shard{.file = entry.at("file"), .digest = entry.at("digest")};
      read_whole(shard.bytes, entry, "bytes", path);
      read_whole(shard.samples, entry, "samples", path);
      require(fs::path(shard.file).filename() == shard.file && !shard.file.empty(),
              "{} names the shard \"{}\", which is no plain file name", path.string(), shard.file);
      m.shards.push_back(std::move(shard));
    }
  } catch (const Json::exception& error) {
    fail("{} cannot be read as a dataset: {}; pack again", path.string(), error.what());
  }
  return m;
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path path = folder / manifest_name;
  require(fs::exists(folder), "{} does not exist: give the folder that `convoy pack` wrote", folder.string());
  require(fs::exists(path),
          "{} has no {}: it is no packed dataset, or packing it was not finished (run the same `convoy pack` "
          "again)",
          folder.string(), manifest_name);
  return parse_manifest(read_text(path), path);
}

}  // namespace convoy

#include "data/manifest.h"

#include <nlohmann/json.hpp>

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
    m.samples = json.at("samples");
    m.image_bytes = json.at("image_bytes");
    m.warnings = json.at("warnings");
    m.quarantined = json.at("quarantined");
    m.skipped = json.at("skipped");
    m.duplicates = json.at("duplicates");
    m.seed = json.at("seed");
    m.source = json.at("source");
    m.plan = json.at("plan");
    m.fingerprint = json.at("fingerprint");
    m.jpegs = json.value("jpegs", "");
    m.rewritten = json.value("rewritten", int64_t{-1});
    m.quarantine_digest = json.value("quarantine_digest", "");
    for (const auto& entry : json.at("classes")) {
      m.classes.wnids.push_back(entry.at("wnid"));
      m.classes.names.push_back(entry.at("name"));
      m.histogram.push_back(entry.at("samples"));
    }
    for (const auto& entry : json.at("shards")) {
      ShardEntry shard{entry.at("file"), entry.at("bytes"), entry.at("samples"), entry.at("digest")};
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

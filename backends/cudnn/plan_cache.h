// What cuDNN's plans were in its own text, by device and operation: making one takes it up to seconds, a network has
// hundreds, many of them alike. Kept in memory, and on disk for the next process: one file a plan, whole or not there, with
// a digest of it. The first process that keeps a plan decides: ranks that make the same ones at the same time end with one of
// them. What cannot be written or read, or is damaged, is as good as not there.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace convoy::cudnn {

// CONVOY_CACHE, else convoy/ where the user's caches are (XDG); empty where there is no such place.
std::filesystem::path plan_folder();

class PlanCache {
 public:
  // `device`: all that the plans depend on beside the operation: library, GPU, driver. An empty folder: memory alone.
  PlanCache(std::filesystem::path folder, std::string device);
  std::string find(const std::string& operation);  // "": none
  // Returns the plan that counts: another one where another process kept it first.
  std::string keep(const std::string& operation, const std::string& plan);
  void forget(const std::string& operation);  // which cuDNN refuses

 private:
  std::filesystem::path file_of(const std::string& operation) const;
  std::string heading(const std::string& operation, const std::string& plan) const;
  std::string on_disk(const std::string& operation) const;

  std::filesystem::path folder_;
  std::string device_;
  std::map<std::string, std::string> known_;
};

}  // namespace convoy::cudnn

#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/basic_file_sink.h>

#include <cstdio>
#include <vector>

#include "base/colour.h"

namespace convoy {

Log::Log(Level level, int rank, const std::string& host, const std::string& file) {
  // The sink's own detection knows nothing of NO_COLOR.
  auto terminal = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
      coloured(stderr) ? spdlog::color_mode::always : spdlog::color_mode::never);
  terminal->set_color(spdlog::level::info, terminal->reset);
  terminal->set_color(spdlog::level::debug, terminal->dark);
  std::vector<spdlog::sink_ptr> sinks{terminal};
  if (!file.empty()) sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
  logger_ = std::make_shared<spdlog::logger>("convoy", sinks.begin(), sinks.end());
  const std::string who = rank == 0 ? "" : fmt::format("rank {} @{}: ", rank, host);
  logger_->set_pattern("[%H:%M:%S] %^" + who + "%v%$");
  logger_->set_level(level == Level::verbose              ? spdlog::level::debug
                     : level == Level::quiet || rank != 0 ? spdlog::level::warn
                                                          : spdlog::level::info);
  logger_->flush_on(spdlog::level::info);
}

void Log::write(int severity, const std::string& line) const {
  if (logger_) logger_->log(static_cast<spdlog::level::level_enum>(severity), line);
}

void Log::file_only(const std::string& line) const {
  if (!logger_) return;
  for (size_t sink = 1; sink < logger_->sinks().size(); ++sink) {  // the first is standard error
    logger_->sinks()[sink]->log({logger_->name(), spdlog::level::err, line});
    logger_->sinks()[sink]->flush();
  }
}

}  // namespace convoy

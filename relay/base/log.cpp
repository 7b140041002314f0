#include "relay/base/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace relay::log {

std::string_view name(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "unknown";
}

std::string Record::to_line(WallTime time) const {
  nlohmann::ordered_json line{{"time", to_rfc3339(time)}, {"level", name(level_)}};
  line.update(fields_);
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

struct StdoutSink::Writer {
  static constexpr std::size_t kWaitingLines = 8192;
  std::shared_ptr<spdlog::details::thread_pool> pool = std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
    "json", std::make_shared<spdlog::sinks::stdout_sink_mt>(), pool, spdlog::async_overflow_policy::overrun_oldest
  );
};

StdoutSink::StdoutSink(const Clock& clock, Level lowest)
    : clock_(clock), lowest_(lowest), writer_(std::make_unique<Writer>()) {
  writer_->logger->set_pattern("%v");
  writer_->logger->flush_on(spdlog::level::info);
}

StdoutSink::~StdoutSink() = default;

void StdoutSink::write(const Record& record) {
  if (record.level() < lowest_) return;
  writer_->logger->info(record.to_line(clock_.wall()));
}

std::uint64_t StdoutSink::dropped() const { return writer_->pool->overrun_counter(); }

}  // namespace relay::log

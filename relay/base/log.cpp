#include "relay/base/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <thread>

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
  std::shared_ptr<spdlog::details::thread_pool> pool =
    std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
    "json", std::make_shared<spdlog::sinks::stdout_sink_mt>(), pool,
    spdlog::async_overflow_policy::overrun_oldest
  );
};

StdoutSink::StdoutSink(const Clock& clock, Level lowest)
    : clock_(clock), lowest_(lowest), writer_(std::make_unique<Writer>()) {
  writer_->logger->set_pattern("%v");
}

StdoutSink::~StdoutSink() = default;

void StdoutSink::write(const Record& record) {
  if (record.level() < lowest_) return;
  writer_->logger->info(record.to_line(clock_.wall()));
}

void StdoutSink::flush() {
  for (int tenths = 0; tenths < 10 && writer_->pool->queue_size() > 0; ++tenths) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

std::uint64_t StdoutSink::dropped() const { return writer_->pool->overrun_counter(); }

}  // namespace relay::log

#include "relay/base/log.hpp"

#include <algorithm>
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

namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

}  // namespace

std::string Record::to_text(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void Record::append_text(std::string& out, std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    out += to_text(text);
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

const Record::Member* Record::find(std::string_view key) const {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& member) {
    // Behind the key stand its closing quote and a colon.
    return std::string_view(text_).substr(member.key, member.value - 2 - member.key) == key;
  });
  return found == members_.end() ? nullptr : &*found;
}

void Record::set(std::string_view key, std::string_view text) {
  std::string value;
  append_text(value, text);
  set_raw(key, value);
}

void Record::set_raw(std::string_view key, std::string_view json) {
  if (const auto* old = find(key)) {
    const auto begin = old->value, end = old->end;
    text_.replace(begin, end - begin, json);
    const auto shift = [&](std::size_t at) { return at - end + begin + json.size(); };
    for (auto& member : members_) {
      if (member.key > begin) member.key = shift(member.key), member.value = shift(member.value);
      if (member.end >= end) member.end = shift(member.end);
    }
    return;
  }
  if (!text_.empty()) text_ += ',';
  text_ += '"';
  const auto begin = text_.size();
  text_.append(key).append("\":");
  const auto value = text_.size();
  text_ += json;
  members_.push_back({begin, value, text_.size()});
}

std::string_view Record::raw(std::string_view key) const {
  const auto* member = find(key);
  return member != nullptr ? std::string_view(text_).substr(member->value, member->end - member->value)
                           : std::string_view();
}

nlohmann::ordered_json Record::fields() const { return nlohmann::ordered_json::parse("{" + text_ + "}"); }

std::string Record::to_line(WallTime time) const {
  std::string line;
  line.reserve(text_.size() + 80);
  line.append("{\"time\":\"").append(to_rfc3339(time)).append("\",\"level\":\"").append(name(level_));
  line.append("\",").append(text_) += '}';
  return line;
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

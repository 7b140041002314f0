#include "relay/base/log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <spdlog/async.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <thread>
#include <unistd.h>

#include "relay/base/thread.hpp"

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

template <class Append>
void Record::add(std::string_view key, Append append) {
  line_.clear();
  if (!text_.empty()) text_ += ',';
  text_ += '"';
  const auto begin = text_.size();
  text_.append(key).append("\":");
  const auto value = text_.size();
  append(text_);
  members_.push_back({begin, value, text_.size()});
}

void Record::set(std::string_view key, std::string_view text) {
  if (find(key) == nullptr) return add(key, [&](std::string& out) { append_text(out, text); });
  std::string value;
  append_text(value, text);
  set_raw(key, value);
}

void Record::set_number(std::string_view key, double number) {
  if (!std::isfinite(number)) return set_raw(key, "null");  // as the library has it
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  std::string shown(text.data(), end);
  // A log store may take a field's kind from the first value that it sees.
  if (shown.find_first_of(".e") == std::string::npos) shown += ".0";
  set_raw(key, shown);
}

void Record::set_texts(std::string_view key, const std::vector<std::string>& texts) {
  std::string value = "[";
  for (const auto& text : texts) {
    if (value.size() > 1) value += ',';
    append_text(value, text);
  }
  set_raw(key, value += ']');
}

void Record::set_raw(std::string_view key, std::string_view json) {
  if (const auto* old = find(key)) {
    line_.clear();
    const auto begin = old->value, end = old->end;
    text_.replace(begin, end - begin, json);
    const auto shift = [&](std::size_t at) { return at - end + begin + json.size(); };
    for (auto& member : members_) {
      if (member.key > begin) member.key = shift(member.key), member.value = shift(member.value);
      if (member.end >= end) member.end = shift(member.end);
    }
    return;
  }
  add(key, [&](std::string& out) { out += json; });
}

std::string_view Record::raw(std::string_view key) const {
  const auto* member = find(key);
  return member != nullptr ? std::string_view(text_).substr(member->value, member->end - member->value)
                           : std::string_view();
}

nlohmann::ordered_json Record::fields() const { return nlohmann::ordered_json::parse("{" + text_ + "}"); }

const std::string& Record::to_line(WallTime time) const {
  if (!line_.empty()) return line_;
  line_.reserve(text_.size() + 80);
  line_.append("{\"time\":\"").append(to_rfc3339(time)).append("\",\"level\":\"").append(name(level_));
  line_.append("\",").append(text_) += '}';
  return line_;
}

namespace {

/// How long a line waits for others to be written with. Each message has two lines, and one that woke the thread
/// and was written by itself was two system calls.
constexpr std::chrono::milliseconds kGather{2};
constexpr std::size_t kMostGathered = 64U << 10U;  // octets

void write_whole(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;  // there is nowhere to say so
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
}

/// Writes in one go the lines that wait at one moment.
class GatheringSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  /// @param pool  whose one thread calls this; it is there as long as that thread is
  explicit GatheringSink(spdlog::details::thread_pool& pool) : pool_(pool) {}
  ~GatheringSink() override { write_out(); }
  GatheringSink(const GatheringSink&) = delete;
  GatheringSink& operator=(const GatheringSink&) = delete;

  [[nodiscard]] bool is_clean() const { return is_clean_.load(std::memory_order_acquire); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    is_clean_.store(false, std::memory_order_release);
    const bool is_first = gathered_.empty();
    gathered_.append(message.payload.data(), message.payload.size()) += '\n';
    if (is_first && pool_.queue_size() == 0) std::this_thread::sleep_for(kGather);
    if (is_first) to_come_ = pool_.queue_size();
    else --to_come_;
    // Fewer come than waited where the oldest have given way.
    if (to_come_ == 0 || gathered_.size() >= kMostGathered || pool_.queue_size() == 0) write_out();
  }
  void flush_() override { write_out(); }

 private:
  void write_out() {
    write_whole(gathered_);
    gathered_.clear();
    is_clean_.store(true, std::memory_order_release);
  }

  spdlog::details::thread_pool& pool_;
  std::string gathered_;     // of the pool's thread; once that has ended, of whoever gives up the sink
  std::size_t to_come_ = 0;  // lines that are written together with those gathered
  std::atomic<bool> is_clean_{true};
};

}  // namespace

struct StdoutSink::Writer {
  explicit Writer(std::size_t waiting)
      : pool(std::make_shared<spdlog::details::thread_pool>(waiting, 1, begin)) {}
  ~Writer() { pool.reset(); }  // its thread has written all and ended before the sink goes
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  static void begin() { name_thread("log"); }
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<GatheringSink> sink = std::make_shared<GatheringSink>(*pool);
  std::shared_ptr<spdlog::async_logger> logger =
    std::make_shared<spdlog::async_logger>("json", sink, pool, spdlog::async_overflow_policy::overrun_oldest);
};

StdoutSink::StdoutSink(const Clock& clock, Level lowest, std::size_t waiting)
    : clock_(clock), lowest_(lowest), writer_(std::make_unique<Writer>(waiting)) {}

StdoutSink::~StdoutSink() = default;

void StdoutSink::write(const Record& record) {
  if (record.level() < lowest_) return;
  writer_->logger->info(record.to_line(clock_.wall()));
}

void StdoutSink::flush() {
  constexpr std::chrono::milliseconds kPause{10};
  // A pause first: a line that has just left the queue is not with the sink yet.
  for (int pauses = 0; pauses < 100; ++pauses) {
    std::this_thread::sleep_for(kPause);
    if (writer_->pool->queue_size() == 0 && writer_->sink->is_clean()) return;
  }
}

std::uint64_t StdoutSink::dropped() const { return writer_->pool->overrun_counter(); }

}  // namespace relay::log

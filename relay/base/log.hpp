#pragma once
/// Log records as values: one JSON object a line, a constant message, facts as key and value.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "relay/base/clock.hpp"

namespace relay::log {

enum class Level : std::uint8_t { debug, info, warning, error };
[[nodiscard]] std::string_view name(Level level);

/// One record. `event` is a stable word that programs may match (`reception`, `delivery`, `deferral`,
/// `failure`, ...). Values are escaped by the JSON writer; octets that are no UTF-8 become U+FFFD, so a peer
/// cannot forge a line.
class Record {
 public:
  Record(Level level, std::string_view event) : level_(level) { fields_["event"] = event; }

  template <class Value>
  Record&& with(std::string_view key, Value&& value) && {
    fields_[std::string(key)] = std::forward<Value>(value);
    return std::move(*this);
  }
  [[nodiscard]] Level level() const { return level_; }
  [[nodiscard]] const nlohmann::ordered_json& fields() const { return fields_; }
  /// The line, without a line end; time and level come first.
  [[nodiscard]] std::string to_line(WallTime time) const;

 private:
  Level level_;
  nlohmann::ordered_json fields_;
};

/// Where records go. Implementations never block and are safe from any thread; a record that cannot be taken
/// is counted.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(const Record& record) = 0;
};

inline Record debug(std::string_view event) { return {Level::debug, event}; }
inline Record info(std::string_view event) { return {Level::info, event}; }
inline Record warning(std::string_view event) { return {Level::warning, event}; }
inline Record error(std::string_view event) { return {Level::error, event}; }

/// Writes lines to standard output from a thread of its own. When standard output cannot keep up, the oldest
/// of 8,192 waiting lines give way: mail is never held up by its log. Flushes at destruction.
class StdoutSink : public Sink {
 public:
  explicit StdoutSink(const Clock& clock, Level lowest = Level::info);
  ~StdoutSink() override;
  StdoutSink(const StdoutSink&) = delete;
  StdoutSink& operator=(const StdoutSink&) = delete;

  void write(const Record& record) override;
  /// Waits, for a second at most, until what was written is out. For a process that ends without destructors.
  void flush();
  /// Lines that gave way since start.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Writer;
  const Clock& clock_;  // outlives the sink: owned by main
  Level lowest_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace relay::log

#pragma once
/// Log records as values: one JSON object a line, a constant message, facts as key and value.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "relay/base/clock.hpp"

namespace relay::log {

enum class Level : std::uint8_t { debug, info, warning, error };
[[nodiscard]] std::string_view name(Level level);

/// One record. `event` is a stable word that programs may match (`reception`, `delivery`, `deferral`,
/// `failure`, ...). Octets that are no UTF-8 become U+FFFD and controls are escaped, so a peer cannot forge a line.
///
/// It is kept as the text that it becomes: every message writes two, and a tree of values for each of their fields
/// took a quarter of all that a message cost.
class Record {
 public:
  Record(Level level, std::string_view event) : level_(level) {
    members_.reserve(kUsualFields);
    text_.reserve(kUsualSize);
    set("event", event);
  }

  /// A value is a text, a number, a bool, or what nlohmann::json can be made from. A key that is there already gets
  /// the new value in its place.
  template <class Value>
  Record& with(std::string_view key, const Value& value) & {
    constexpr bool is_json =
      std::is_same_v<Value, nlohmann::ordered_json> || std::is_same_v<Value, nlohmann::json>;
    if constexpr (std::is_same_v<Value, bool>) set_raw(key, value ? "true" : "false");
    else if constexpr (std::is_integral_v<Value>) set_raw(key, std::to_string(value));
    else if constexpr (std::is_floating_point_v<Value>) set_number(key, value);
    else if constexpr (std::is_same_v<Value, std::vector<std::string>>) set_texts(key, value);
    else if constexpr (!is_json && std::is_convertible_v<const Value&, std::string_view>)
      set(key, std::string_view(value));
    else set_raw(key, to_text(nlohmann::ordered_json(value)));
    return *this;
  }
  template <class Value>
  Record&& with(std::string_view key, const Value& value) && {
    return std::move(with(key, value));
  }
  [[nodiscard]] Level level() const { return level_; }
  /// The value of a field as JSON text, empty when there is none. Valid until the record changes.
  [[nodiscard]] std::string_view raw(std::string_view key) const;
  /// All fields as values, for who looks into them. Not cheap.
  [[nodiscard]] nlohmann::ordered_json fields() const;
  /// The line, without a line end; time and level come first. Made for the first who asks: who asks later gets the
  /// time of the first. Valid until the record changes.
  [[nodiscard]] const std::string& to_line(WallTime time) const;

 private:
  /// Where a field's value stands in text_.
  struct Member {
    std::string_view::size_type key, value, end;  ///< key without its quotes; octets from the start
  };
  static constexpr std::size_t kUsualFields = 24;
  static constexpr std::size_t kUsualSize = 768;  // octets

  void set(std::string_view key, std::string_view text);
  void set_raw(std::string_view key, std::string_view json);
  void set_number(std::string_view key, double number);
  void set_texts(std::string_view key, const std::vector<std::string>& texts);
  static std::string to_text(const nlohmann::ordered_json& value);
  static void append_text(std::string& out, std::string_view text);
  /// Writes a key that is not there yet, and has `append` write its value behind it.
  template <class Append>
  void add(std::string_view key, Append append);
  [[nodiscard]] const Member* find(std::string_view key) const;

  Level level_;
  std::string text_;  ///< `"event":"delivery","queue_id":"..."`
  std::vector<Member> members_;
  mutable std::string line_;  ///< empty: not made yet
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
/// of the waiting lines give way: mail is never held up by its log. Flushes at destruction.
class StdoutSink : public Sink {
 public:
  static constexpr std::size_t kWaitingLines = 8192;
  /// @param waiting  lines; room for all of them, some 400 octets each, is taken at once
  explicit StdoutSink(const Clock& clock, Level lowest = Level::info, std::size_t waiting = kWaitingLines);
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

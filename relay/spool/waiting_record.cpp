#include <algorithm>
#include <array>
#include <bitset>
#include <nlohmann/json.hpp>
#include <utility>

#include "relay/spool/record.hpp"

namespace relay::spool {
namespace {

using nlohmann::json;

/// Takes fields as they are read: a start counts all places, and trees of values for a million of them were most of its
/// time. A callback returns whether to read on.
class WaitingReader : public json::json_sax_t {
 public:
  /// Nothing when a field is missing that must be there.
  [[nodiscard]] std::optional<Waiting> take() {
    for (const auto field : {arrival, attempts, last, size}) {
      if (!seen_.test(field)) return std::nullopt;
    }
    return std::move(waiting_);
  }

  bool null() override { return is_ignored(); }
  bool boolean(bool value) override {
    if (depth_ != 1) return is_ignored();
    switch (field_) {
      case warned: waiting_.sender_was_warned = value; return true;
      case captured: waiting_.is_captured = value; return true;
      case released: waiting_.is_released = value; return true;
      default: return is_ignored();
    }
  }
  bool number_integer(number_integer_t value) override { return number(value); }
  bool number_unsigned(number_unsigned_t value) override { return number(value); }
  bool number_float(number_float_t, const string_t&) override { return is_ignored(); }
  bool string(string_t& value) override {
    if (!is_value_of(last)) return is_ignored();
    waiting_.last = std::move(value);
    return true;
  }
  bool binary(binary_t&) override { return is_ignored(); }
  bool start_object(std::size_t) override {
    const bool is_fitting = depth_ == 0 || is_ignored();
    ++depth_;
    return is_fitting;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    const bool is_fitting = is_value_of(share) || is_ignored();
    ++depth_;
    return is_fitting;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ > 1) return true;
    field_ = field_of(name);
    seen_.set(field_);
    if (field_ == share) waiting_.share.clear();
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

 private:
  enum Field : std::uint8_t {
    arrival,
    at,
    attempts,
    captured,
    last,
    released,
    share,
    size,
    warned,
    foreign,
    fields
  };

  static Field field_of(std::string_view name) {
    constexpr std::array<std::string_view, foreign> kNames{
      "arrival", "at", "attempts", "captured", "last", "released", "share", "size", "warned"
    };
    return static_cast<Field>(std::find(kNames.begin(), kNames.end(), name) - kNames.begin());
  }
  [[nodiscard]] bool is_value_of(Field field) const { return depth_ == 1 && field_ == field; }
  /// Belongs to a field that another version may have.
  [[nodiscard]] bool is_ignored() const { return depth_ > 0 && field_ == foreign; }

  template <class Number>
  bool number(Number value) {
    if (depth_ == 2 && field_ == share) return set(waiting_.share.emplace_back(), value);
    if (depth_ != 1) return is_ignored();
    switch (field_) {
      case arrival: return set(waiting_.arrival, value);
      case at: return set(waiting_.at, value);
      case attempts: return set(waiting_.attempts, value);
      case size: return set(waiting_.size, value);
      default: return is_ignored();
    }
  }
  template <class Target, class Number>
  static bool set(Target& target, Number value) {
    if (!std::in_range<Target>(value)) return false;
    target = static_cast<Target>(value);
    return true;
  }
  template <class Number>
  static bool set(WallTime& target, Number value) {
    if (!std::in_range<std::int64_t>(value)) return false;
    target = WallTime{milliseconds{static_cast<std::int64_t>(value)}};
    return true;
  }

  Waiting waiting_;
  std::bitset<fields> seen_;
  Field field_ = foreign;
  std::size_t depth_ = 0;  // objects and arrays that are open
};

}  // namespace

Result<Waiting> parse_waiting(std::string_view payload) {
  WaitingReader reader;
  const bool is_read = json::sax_parse(payload, &reader, json::input_format_t::cbor);
  auto waiting = is_read ? reader.take() : std::nullopt;
  if (!waiting) return permanent(Errc::corrupt, "a queue entry lacks a field");
  return std::move(*waiting);
}

}  // namespace relay::spool

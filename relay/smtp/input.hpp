#pragma once
/// What a client has sent and nobody has read yet: handed out as it is, or cut into lines.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "relay/smtp/data_decoder.hpp"

namespace relay::smtp {

inline constexpr std::size_t kMaxSkippedLine = 2U << 20U;  ///< octets of a line too long: then it is endless

/// A line of commands.
struct Line {
  std::string text;  ///< without its end
  LineEnding ending = LineEnding::crlf;
};

/// Thread: one at a time. Holds what was appended and not taken.
class Input {
 public:
  void append(std::string_view octets) { octets_.append(octets); }

  /// What is there; valid until the next call of a function that is not const.
  [[nodiscard]] std::string_view pending() const { return std::string_view(octets_).substr(position_); }
  [[nodiscard]] bool is_empty() const { return position_ == octets_.size(); }
  /// Takes octets from the front of pending().
  void consume(std::size_t count);

  /// Takes the next line, if its end is among the first `cap` octets. Nothing: is_longer_than(cap), or its end has not come.
  [[nodiscard]] std::optional<Line> take_line(std::size_t cap);
  /// Asked when take_line() gave nothing.
  [[nodiscard]] bool is_longer_than(std::size_t cap) const { return octets_.size() - position_ >= cap; }

  /// The line that begins here will not be read: from now on skip_line() is called before take_line().
  void begin_skipping() { skipped_ = 1; }
  [[nodiscard]] bool is_skipping() const { return skipped_ > 0; }
  /// Drops what is there of the line. True when that was the rest of it.
  [[nodiscard]] bool skip_line();
  /// More of it was dropped than anybody's patience is worth.
  [[nodiscard]] bool is_endless() const { return skipped_ > kMaxSkippedLine; }

  /// A line has begun and its end was not taken.
  [[nodiscard]] bool is_within_line() const { return !is_empty() || is_skipping(); }

  /// Gives back what content needed; for while a client says nothing.
  void shrink();

 private:
  std::string octets_;
  std::size_t position_ = 0;  // of the first one that was not consumed
  std::size_t skipped_ = 0;   // octets of a line too long, 0 when none is being skipped
};

}  // namespace relay::smtp

#pragma once
/// How long, and through how many errors, a session bears with a client that brings no message.

#include "relay/base/units.hpp"
#include "relay/smtp/server_limits.hpp"

namespace relay::smtp {

/// So many idle_timeout are waited for commands in all until a message is accepted: whole ones now and then hold no session.
inline constexpr int kFruitlessTimes = 12;

/// Reads no clock: it is told what was waited.
class Patience {
 public:
  explicit Patience(const ServerLimits& limits)
      : idle_timeout_(limits.idle_timeout),
        max_errors_(limits.max_errors),
        max_junk_(limits.max_junk),
        line_time_(limits.idle_timeout) {}

  /// A command was waited for. @param is_within_line  one that has begun
  void wait(milliseconds waited, bool is_within_line);
  /// A line is at its end: the next one has all the time.
  void end_line() { line_time_ = idle_timeout_; }
  /// Left until the line that is being read, or the session, has taken too long; not above 0: it has.
  [[nodiscard]] milliseconds time_left() const;

  void note_error() { ++errors_; }
  /// A command that does nothing: too many of them are errors.
  void note_junk() {
    if (++junk_ > max_junk_) ++errors_;
  }
  [[nodiscard]] bool has_too_many_errors() const { return errors_ > max_errors_; }

  /// A message was accepted: all is forgiven.
  void begin_anew();

 private:
  milliseconds idle_timeout_;
  unsigned max_errors_;
  unsigned max_junk_;
  milliseconds line_time_;     // left for the line that has begun; all of it when none has
  milliseconds fruitless_{0};  // waited for commands since the last accepted message
  unsigned errors_ = 0;
  unsigned junk_ = 0;
};

}  // namespace relay::smtp

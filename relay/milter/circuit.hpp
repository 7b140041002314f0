#pragma once
/// Keeps a filter that is down from being asked by every message.

#include <chrono>

#include "relay/base/clock.hpp"

namespace relay::milter {

/// Behind kFailures in a row nobody asks for a pause, then one message does, which opens it for all or doubles the pause.
/// Reads no clock. Thread: one at a time.
class Circuit {
 public:
  static constexpr unsigned kFailures = 3;
  static constexpr std::chrono::seconds kFirstPause{1};
  static constexpr std::chrono::seconds kLongestPause{30};

  /// Whether to ask. Each yes is followed by succeeded() or failed(), or by neither: then another asks behind the pause.
  [[nodiscard]] bool may_ask(SteadyTime now);
  void succeeded() {
    failures_ = 0;
    is_tried_ = false;
  }
  void failed(SteadyTime now);

 private:
  [[nodiscard]] bool is_open() const { return failures_ >= kFailures; }

  unsigned failures_ = 0;  // in a row
  std::chrono::seconds pause_ = kFirstPause;
  SteadyTime next_{};      // while it is open: when one may ask
  bool is_tried_ = false;  // that one does
};

}  // namespace relay::milter

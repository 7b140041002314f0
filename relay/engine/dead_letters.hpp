#pragma once
/// Messages that are kept because recipients failed and nobody could be told: how long.

#include "relay/engine/queue_control.hpp"

namespace relay::engine {

/// Deletes those older than Limits::dead_letter_max_age, once a minute; each is a `deletion` in the log. Zero keeps
/// them for good. Thread: sweep() of any one thread; the work is done on workers. Lifetime: as QueueControl.
class DeadLetters {
 public:
  DeadLetters(const Context& context, QueueControl& control) : context_(context), control_(control) {}

  /// About once a second; returns at once.
  void sweep();

 private:
  void look(std::optional<QueueId> after);

  Context context_;
  QueueControl& control_;
  SteadyTime next_{};  // of sweep()
  std::atomic<bool> is_looking_{false};
};

}  // namespace relay::engine

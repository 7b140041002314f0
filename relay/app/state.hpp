#pragma once
/// Where the relay stands between start and stop, for everyone who answers questions about it.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace relay::app {

/// Thread: any, but for the setters: the control thread and the admin interface.
class State {
 public:
  /// Why no mail is accepted before the spool is open, in words.
  void set_starting(std::string why);
  void set_running();

  void set_drained_by_admin(bool is_drained) { drained_by_admin_ = is_drained; }
  void set_drained_by_annotation(bool is_drained) { drained_by_annotation_ = is_drained; }
  void set_stopping() { stopping_ = true; }
  /// The lame-duck time is over: new connections get 421.
  void set_turning_away(bool is_turning_away) { turning_away_ = is_turning_away; }

  [[nodiscard]] bool is_drained_by_admin() const { return drained_by_admin_; }
  [[nodiscard]] bool is_drained() const { return drained_by_admin_ || drained_by_annotation_; }
  [[nodiscard]] bool is_stopping() const { return stopping_; }
  [[nodiscard]] bool is_turning_away() const { return turning_away_; }
  /// Nothing when running, and neither drained nor stopping.
  [[nodiscard]] std::optional<std::string> unready_reason() const;

 private:
  std::atomic<bool> drained_by_admin_{false};
  std::atomic<bool> drained_by_annotation_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> turning_away_{false};
  mutable std::mutex mutex_;
  std::optional<std::string> starting_ = "starting";
};

}  // namespace relay::app

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
  /// @param why  in a word or two; nothing: the node is not cordoned
  void set_cordoned(std::optional<std::string> why);
  /// The relay is about to be removed from this node for good.
  void set_retiring(bool is_retiring) { retiring_ = is_retiring; }
  void set_stopping() { stopping_ = true; }
  /// Why load balancers should turn to others though mail is accepted; nothing: they should not.
  void set_fault(std::optional<std::string> why);
  /// The lame-duck time is over: new connections get 421.
  void set_turning_away(bool is_turning_away) { turning_away_ = is_turning_away; }

  [[nodiscard]] bool is_drained_by_admin() const { return drained_by_admin_; }
  [[nodiscard]] bool is_cordoned() const { return is_cordoned_; }
  [[nodiscard]] bool is_drained() const {
    return drained_by_admin_ || drained_by_annotation_ || is_cordoned_ || retiring_;
  }
  [[nodiscard]] bool is_retiring() const { return retiring_; }
  [[nodiscard]] bool is_stopping() const { return stopping_; }
  [[nodiscard]] bool is_turning_away() const { return turning_away_; }
  /// Nothing when running, and neither drained, retiring nor stopping.
  [[nodiscard]] std::optional<std::string> unready_reason() const;
  [[nodiscard]] std::optional<std::string> fault() const;

 private:
  std::atomic<bool> drained_by_admin_{false};
  std::atomic<bool> drained_by_annotation_{false};
  std::atomic<bool> is_cordoned_{false};
  std::atomic<bool> retiring_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> turning_away_{false};
  mutable std::mutex mutex_;
  std::optional<std::string> starting_ = "starting";  // under mutex_
  std::string cordoned_;                              // why, while it is; under mutex_
  std::optional<std::string> fault_;                  // under mutex_
};

}  // namespace relay::app

#include "relay/app/state.hpp"

#include <utility>

namespace relay::app {

void State::set_starting(std::string why) {
  const std::scoped_lock lock(mutex_);
  starting_ = std::move(why);
}

void State::set_running() {
  const std::scoped_lock lock(mutex_);
  starting_.reset();
}

void State::set_cordoned(std::optional<std::string> why) {
  const std::scoped_lock lock(mutex_);
  is_cordoned_ = why.has_value();
  cordoned_ = std::move(why).value_or("");
}

void State::set_fault(std::optional<std::string> why) {
  const std::scoped_lock lock(mutex_);
  fault_ = std::move(why);
}

std::optional<std::string> State::fault() const {
  const std::scoped_lock lock(mutex_);
  return fault_;
}

std::optional<std::string> State::unready_reason() const {
  if (stopping_) return "stopping";
  {
    const std::scoped_lock lock(mutex_);
    if (starting_) return starting_;
  }
  if (drained_by_admin_) return "drained by relayctl, until relayctl resume";
  if (drained_by_annotation_) return "drained by the pod's annotation smtp.buildinglink.com/drain";
  if (retiring_) return "retiring: its SmtpRelay is deleted, and its queue is emptied";
  const std::scoped_lock lock(mutex_);
  if (is_cordoned_) return "drained while its node is cordoned (" + cordoned_ + ")";
  return std::nullopt;
}

}  // namespace relay::app

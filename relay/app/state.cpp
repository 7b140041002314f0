#include "relay/app/state.hpp"

namespace relay::app {

void State::set_starting(std::string why) {
  const std::scoped_lock lock(mutex_);
  starting_ = std::move(why);
}

void State::set_running() {
  const std::scoped_lock lock(mutex_);
  starting_.reset();
}

std::optional<std::string> State::unready_reason() const {
  if (stopping_) return "stopping";
  {
    const std::scoped_lock lock(mutex_);
    if (starting_) return starting_;
  }
  if (drained_by_admin_) return "drained by relayctl, until relayctl resume";
  if (drained_by_annotation_) return "drained by the pod's annotation smtp.buildinglink.com/drain";
  return std::nullopt;
}

}  // namespace relay::app

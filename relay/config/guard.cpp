#include "relay/config/guard.hpp"

namespace relay::config {

policy::Guard guard_of(const Settings& settings) {
  policy::Guard guard;
  guard.mode = settings.mode;
  if (const auto to = mail::Address::parse(settings.mode_redirect_to)) guard.redirect_to = *to;
  guard.allowed = settings.mode_allowed;
  guard.others = settings.mode_others;
  return guard;
}

}  // namespace relay::config

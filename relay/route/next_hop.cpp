#include "relay/route/next_hop.hpp"

namespace relay::route {

NextHop smarthost(const SmarthostSettings& settings, const PasswdClient& passwords) {
  return NextHop{
    settings.endpoint,
    smtp::HopPolicy{
      settings.helo_name, settings.tls, passwords.find(settings.endpoint.host), settings.timeouts
    }
  };
}

}  // namespace relay::route

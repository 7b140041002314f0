#include "operator/relay/source_report.hpp"

#include <algorithm>

namespace op::smtp_relay {

relay::Result<void> read_sources(const std::string& page, SourceReport& report) {
  const auto no = [](const char* why) { return relay::permanent(relay::Errc::protocol_error, why); };
  const auto facts = kube::Json::parse(page, nullptr, false);
  if (!facts.is_object()) return no("the page /sources is no JSON object");
  const auto own = facts.find("own_addresses");
  const auto hidden = facts.find("hidden");
  if (own == facts.end() || !own->is_boolean() || hidden == facts.end() || !hidden->is_array())
    return no("the page /sources lacks own_addresses or hidden");
  std::vector<relay::IpAddress> addresses;
  for (const auto& each : *hidden) {
    const auto address = relay::IpAddress::parse(kube::text_at(each, "/address"));
    if (!address) return no("the page /sources has something else than an address");
    addresses.push_back(*address);
  }
  std::sort(addresses.begin(), addresses.end());
  report.is_known = true;
  report.has_seen_own_addresses = own->get<bool>();
  report.hidden = std::move(addresses);
  return {};
}

}  // namespace op::smtp_relay

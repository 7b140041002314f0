#include "operator/resources/network_policy.hpp"

#include <algorithm>

#include "relay/base/units.hpp"

namespace op::resources {
namespace {

/// Of the Service, and of the pods behind it (OpenShift's, some of NodeLocal DNS): plugins judge by the pod's.
constexpr std::uint16_t kDns[] = {53, 5353};
/// MX hosts, submission with TLS from the start, submission (RFC 8314); policies of MTA-STS and TLS reports.
constexpr std::uint16_t kAlways[] = {25, 465, 587, 443};

Json port(const char* protocol, int number) { return {{"protocol", protocol}, {"port", number}}; }

/// Of `https://login.test:8443/token`; nothing where it names none.
std::optional<std::uint16_t> port_of(std::string_view url) {
  const auto begin = url.find("://");
  if (begin == std::string_view::npos) return std::nullopt;
  auto authority = url.substr(begin + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const auto endpoint = relay::Endpoint::parse(authority);
  return endpoint ? std::optional(endpoint->port) : std::nullopt;
}

Json clients(const Traffic& traffic) {
  auto peers = Json::array();
  for (const auto& network : traffic.clients) peers.push_back({{"ipBlock", {{"cidr", network}}}});
  peers.push_back({{"namespaceSelector", Json::object()}});
  return peers;
}

Json ports_away(const Traffic& traffic) {
  auto ports = Json::array();
  for (const auto number : kDns) {
    ports.push_back(port("UDP", number));
    ports.push_back(port("TCP", number));
  }
  for (const auto number : traffic.ports_away) ports.push_back(port("TCP", number));
  return ports;
}

}  // namespace

Traffic traffic_of(const relay::config::Settings& settings) {
  Traffic traffic;
  const auto let_in = [&](const relay::Networks& networks) {
    for (const auto& network : networks) {
      auto text = network.to_text();
      const auto& known = traffic.clients;
      if (std::find(known.begin(), known.end(), text) == known.end())
        traffic.clients.push_back(std::move(text));
    }
  };
  let_in(settings.allowed_networks);
  let_in(settings.proxy_trusted);
  for (const auto& listener : settings.listeners) let_in(listener.allowed_networks);
  traffic.ports_away.insert(std::begin(kAlways), std::end(kAlways));
  for (const auto& smarthost : relay::config::all_smarthosts(settings)) {
    traffic.ports_away.insert(static_cast<std::uint16_t>(smarthost.port));
    if (const auto tokens = port_of(smarthost.token_url)) traffic.ports_away.insert(*tokens);
  }
  for (const auto& milter : settings.milters)
    traffic.ports_away.insert(static_cast<std::uint16_t>(milter.port));
  return traffic;
}

Json network_policy(const api::SmtpRelay& relay, const Traffic& traffic) {
  auto ports = Json::array({port("TCP", kSmtpPort)});
  for (std::size_t i = 0; i < relay.spec.listeners.size(); ++i)
    ports.push_back(port("TCP", kFirstListenerPort + static_cast<int>(i)));
  const Json mail{{"ports", std::move(ports)}, {"from", clients(traffic)}};
  const Json questions{{"ports", Json::array({port("TCP", kHealthPort), port("TCP", kMetricsPort)})}};
  return {
    {"apiVersion", "networking.k8s.io/v1"},
    {"kind", "NetworkPolicy"},
    {"metadata", metadata(relay)},
    {"spec",
     {{"podSelector", {{"matchLabels", selector_labels(relay)}}},
      {"policyTypes", Json::array({"Ingress", "Egress"})},
      {"ingress", Json::array({mail, questions})},
      {"egress", Json::array({{{"ports", ports_away(traffic)}}})}}},
  };
}

}  // namespace op::resources

#pragma once
/// What decides in a relay with the settings of a file, and what is asked there before its rules.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"
#include "relay/config/settings.hpp"
#include "relay/mail/address.hpp"
#include "relay/policy/guard.hpp"
#include "relay/policy/relay_access.hpp"
#include "relay/policy/rules.hpp"
#include "relay/policy/sender_bindings.hpp"
#include "relay/route/route_table.hpp"

namespace relay::ctl {

struct Rulebook {
  policy::RelayAccess access;
  policy::Rules rules;
  policy::SenderBindings bindings;
  route::RouteTable routes;
  bool has_users = false;  ///< who may log in
  policy::Guard guard{};
  std::vector<config::Listener> listeners{};
};

/// Blocks for the file, and for the one of hidden sources that it names. Gateways that a relay finds by itself are not in it.
/// @param environment  wins over the file; SMTP_RELAY_ variables alone count
/// Errors: not_found (no such file), invalid_argument (faults, all of them).
[[nodiscard]] Result<Rulebook> read_rulebook(
  const std::string& settings_file, const std::map<std::string, std::string>& environment
);

[[nodiscard]] bool knows_listener(const Rulebook& book, std::string_view name);
[[nodiscard]] policy::Sending who_sends(const Rulebook& book, const policy::Facts& facts);

/// Nothing for the null sender, empty or `<>`.
[[nodiscard]] Result<mail::Address> parse_sender(const std::string& text);

/// What refuses mail before rules are asked, in words; empty: nothing does.
inline constexpr std::string_view kWhateverRulesSay = "refused whatever rules say";
/// As sessions of its listener judge who may relay. Where the settings have no users nobody has logged in, whatever `facts` say.
[[nodiscard]] std::string refusal_of_client(const Rulebook& book, const policy::Facts& facts);
/// By sender bindings.
[[nodiscard]] std::string refusal_of_sender(const Rulebook& book, const policy::Facts& facts);
/// By what it is, and by the mode.
[[nodiscard]] std::string refusal_of_recipient(const Rulebook& book, const mail::Address& recipient);

}  // namespace relay::ctl

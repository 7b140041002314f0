#pragma once
/// The addresses that a From field names.

#include <optional>
#include <string_view>
#include <vector>

#include "relay/mail/address.hpp"

namespace relay::mail {

/// The mailboxes of an address list (RFC 5322 section 3.4), without display names, comments, groups' names and routes, whatever
/// it is folded into. What has no domain is passed over: it names nobody of another host. Nothing when one of them is none, or
/// quotes, comments or angle brackets are not closed. Linear in its size.
[[nodiscard]] std::optional<std::vector<Address>> mailboxes_of(std::string_view value);

}  // namespace relay::mail

#pragma once
/// Domains beyond ASCII as the DNS knows them. Pure.

#include <optional>
#include <string>

namespace relay::outbound {

/// The A-label form of a domain (RFC 5891, mapped by UTS 46), which DNS, TLS and rules know; one that is ASCII as it
/// is. Nothing: it has none.
[[nodiscard]] std::optional<std::string> a_label(const std::string& domain);

}  // namespace relay::outbound

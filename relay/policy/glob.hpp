#pragma once
/// Patterns of rules: text in which `*` stands for any octets, none included, and `?` for one.

#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/address.hpp"

namespace relay::policy {

/// Whether the whole text is what the pattern says; case of ASCII letters does not count.
/// Complexity: at most O(text * pattern), whatever both hold: only the last `*` is ever tried anew. No allocation.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

/// Whether an address is what the pattern says. With an `@` it is of the whole address (`news-*@example.org`), without one
/// of the domain alone (`*.example.org`: any name below it), and `<>` is the null sender. A local part is compared without
/// its quotes, and its case counts no more than a domain's: `"Boss"@Example.org` is no way around `boss@example.org`.
[[nodiscard]] bool matches_address(std::string_view pattern, const mail::Address& address);

/// An address as patterns see it: without the quotes of its local part, in lower case; `<>` for the null sender.
[[nodiscard]] std::string plain_text(const mail::Address& address);

/// Whether one of them does. Nothing matches an empty list.
[[nodiscard]] bool matches_any_glob(const std::vector<std::string>& patterns, std::string_view text);
[[nodiscard]] bool matches_any_address(
  const std::vector<std::string>& patterns, const mail::Address& address
);

}  // namespace relay::policy

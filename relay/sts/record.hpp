#pragma once
/// How a domain says that it has a policy (RFC 8461 section 3.1), and where the policy is (section 3.2 and 3.3).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::sts {

/// Where the TXT record stands: `_mta-sts.<domain>`.
[[nodiscard]] std::string record_name(std::string_view domain);
/// Whose certificate and address count: `mta-sts.<domain>`, port 443.
[[nodiscard]] std::string policy_host(std::string_view domain);
inline constexpr std::string_view kPolicyTarget = "/.well-known/mta-sts.txt";

/// The `id` of the one record that begins with `v=STSv1;`; others do not count. Nothing when there are several
/// such records or the one breaks the grammar: then the domain has no policy that can be discovered.
/// @param records  each with its strings put together without a space
[[nodiscard]] std::optional<std::string> policy_id(const std::vector<std::string>& records);

/// A letter or digit and up to 31 letters, digits, `_`, `-`, `.`: a key of records and of policy files.
[[nodiscard]] bool is_field_name(std::string_view text);

}  // namespace relay::sts

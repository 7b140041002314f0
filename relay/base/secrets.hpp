#pragma once
/// What keeps secrets out of logs and reports when somebody else's words quote them.

#include <string>
#include <string_view>
#include <vector>

namespace relay {

/// Whether the text quotes so much of a secret that it could be guessed from it: six octets in a row, or all of a
/// shorter one. Compared octet by octet: a form that the secret is sent in (base64, percent-encoded) is a secret of
/// its own. Secrets of less than four octets are not looked for, since every sentence would hold some.
[[nodiscard]] bool quotes_secret(std::string_view text, std::string_view secret);
/// The same for any of them.
[[nodiscard]] bool quotes_any_secret(std::string_view text, const std::vector<std::string>& secrets);

}  // namespace relay

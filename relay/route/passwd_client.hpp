#pragma once
/// NAME      route -- where a message goes next, and with which credentials
/// USES      smtp, sasl, mail, base
///
/// INVARIANT pure
/// FAILURES  lines of passwd.client that cannot be used are reported by number, never by content

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/sasl/mechanism.hpp"

namespace relay::route {

/// Exim's /etc/exim4/passwd.client: `host:user:password` a line, looked up by host as Exim's nwildlsearch
/// does.
///
/// - the first line whose key matches counts, in file order, also when it has no usable user and password
///   (then there are none for that host: those of a later `*` are not meant for it); matching ignores case;
/// - a key is a literal name, `*` and the end of a name (`*` alone for all), or `^` and a regular
///   expression; a key may stand in double quotes, with backslash escapes; it ends at a colon or blank;
/// - lines that are empty or start with `#` are skipped, trailing blanks are dropped, and a line that
///   starts with a blank goes on from the line right before it;
/// - the user ends at the first colon behind the key; all that follows is the password, colons included.
///
/// Source: the Exim specification, "Single-key lookup types"; Debian's exim4_passwd_client(5).
class PasswdClient {
 public:
  /// Keeps what is usable; `complaints()` names what is not.
  [[nodiscard]] static PasswdClient parse(std::string_view text);

  [[nodiscard]] std::optional<sasl::Credentials> find(std::string_view host) const;
  /// `line 3: no password behind the user`, for logs: never a key, user or password.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] std::size_t size() const { return lines_.size(); }

 private:
  struct Line {
    std::string key;
    std::optional<sasl::Credentials> credentials;
  };
  void add(std::string_view line, std::size_t number);

  std::vector<Line> lines_;
  std::vector<std::string> complaints_;
};

}  // namespace relay::route

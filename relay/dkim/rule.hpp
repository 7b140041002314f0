#pragma once
/// Who signs what: the settings of one signature.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/units.hpp"
#include "relay/dkim/canonical.hpp"
#include "relay/dkim/key.hpp"

namespace relay::dkim {

/// RFC 6376 section 5.4.1, with what a MIME reader and RFC 8058 rely on.
[[nodiscard]] std::vector<std::string> default_headers();
/// What a reader shows or obeys and would believe if somebody put a second one in front (sections 5.4.2 and
/// 8.15).
[[nodiscard]] std::vector<std::string> default_oversigned();

/// One signature that a message may get. Several rules may be for one message: then it gets several.
struct Rule {
  std::string domain;              ///< `d=`, a host name
  std::string selector;            ///< `s=`, labels as in a host name
  std::shared_ptr<const Key> key;  ///< never null
  Canonicalization header = Canonicalization::relaxed;
  Canonicalization body = Canonicalization::relaxed;
  /// Domains of From that it is for: `example.org`, `*.example.org` (what lies below it), `*`. Empty: the
  /// rule's own domain and what lies below it.
  std::vector<std::string> senders{};
  /// Names of fields to sign, in the order of `h=`; `List-*` stands for all that begin so. From is signed
  /// also when it is not among them.
  std::vector<std::string> headers = default_headers();
  /// Names listed once more than they are present, so that none can be added later. From always is.
  std::vector<std::string> oversigned = default_oversigned();
  /// `x=`, this long after `t=`; none without it.
  std::optional<seconds> expires{};
};

using Rules = std::vector<Rule>;

/// Whether a rule can be used: names that are none, a missing key, fields that change on their way
/// (`Received`, `Return-Path`, `DKIM-Signature`, `Authentication-Results`), an expiry below 1 s.
/// Errors: Errc::invalid_argument, permanent.
[[nodiscard]] Result<void> check(const Rule& rule);

/// @param domain  of the sender, in lower case
[[nodiscard]] bool is_for(const Rule& rule, std::string_view domain);

/// Whether a field of this name may stand in `h=`: 1 to 70 letters, digits, `-` and `_`, so that no line of
/// ours is broken by it, and not one of those that change on their way.
[[nodiscard]] bool is_signable(std::string_view name);

}  // namespace relay::dkim

#pragma once
/// NAME      mail -- what a message is made of, apart from how it travels
/// USES      base
/// INVARIANT pure; an Address that exists is syntactically valid, is well-formed UTF-8, and holds no control
///           character, nor a space outside quotes
/// FAILURES  Errc::invalid_argument (permanent) for text that is no address
/// LIMITS    RFC 5321 section 4.5.3.1: local part 64 octets, domain 255, path 256 with its brackets

#include <compare>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/mail/utf8.hpp"

namespace relay::mail {

inline constexpr std::size_t kMaxLocalPart = 64;
inline constexpr std::size_t kMaxDomain = 255;
inline constexpr std::size_t kMaxPath = 256;

/// A mailbox as an envelope names it (RFC 5321 section 4.1.2), kept literally: nothing is unquoted, expanded
/// or changed in case. Two special forms: the null reverse path (both parts empty) and Postmaster without a
/// domain.
class Address {
 public:
  /// The null reverse path `<>`.
  Address() = default;

  /// Reads `local@domain` without brackets. A local part is a dot-string (dots anywhere: such mailboxes
  /// exist) or a quoted string; a domain is a host name or an address literal; `Postmaster` needs no domain
  /// (section 4.5.1). With Charset::utf8 either part may hold any character beyond ASCII (RFC 6531 section
  /// 3.3); the limits count octets.
  /// Errors: Errc::invalid_argument, permanent.
  [[nodiscard]] static Result<Address> parse(std::string_view text, Charset charset = Charset::ascii);

  [[nodiscard]] bool is_null() const { return local_part_.empty(); }
  [[nodiscard]] bool is_ascii() const { return mail::is_ascii(local_part_) && mail::is_ascii(domain_); }
  [[nodiscard]] bool has_literal_domain() const { return domain_.starts_with('['); }
  [[nodiscard]] const std::string& local_part() const { return local_part_; }
  /// As written; empty for the two special forms.
  [[nodiscard]] const std::string& domain() const { return domain_; }
  /// `local@domain`, empty for the null path.
  [[nodiscard]] std::string to_text() const;

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  Address(std::string local_part, std::string domain)
      : local_part_(std::move(local_part)), domain_(std::move(domain)) {}
  std::string local_part_;
  std::string domain_;
};

/// True for a host name or a well-formed address literal of at most 255 octets (RFC 5321 section 4.1.2 and
/// 4.1.3).
[[nodiscard]] bool is_domain(std::string_view text);

}  // namespace relay::mail

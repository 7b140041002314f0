#pragma once
/// Signs a message as its content streams by.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/dkim/canonical.hpp"
#include "relay/dkim/field.hpp"
#include "relay/dkim/rule.hpp"
#include "relay/mail/address.hpp"

namespace relay::dkim {

/// The header part is kept until the end of the content, up to this many octets; the intake takes less.
inline constexpr std::size_t kMaxHeader = 1024 * 1024;

/// Takes a message's content and gives the DKIM-Signature fields of all rules that are for its sender.
///
/// The sender's domain is that of the first mailbox of the first From field; when that field is missing or
/// names none, that of the reverse path; when that is null too, no rule applies. The header part ends as
/// mail::HeaderScan has it: at an empty line, or before the first line that is no header field. The body is
/// hashed once for each canonicalization that a chosen rule uses, and not at all when no rule was chosen.
///
/// Complexity O(octets + rules * octets of the header part). Thread: one at a time.
class Signer {
 public:
  /// @param rules  a snapshot, each rule as check() passes it; null is the same as none
  /// @param time   the message's arrival, for `t=`
  Signer(std::shared_ptr<const Rules> rules, const mail::Address& reverse_path, WallTime time);

  /// Content with CRLF line ends, in pieces of any size.
  void feed(std::string_view content);
  /// False once it is known that more content changes nothing: no rule is for this sender. To feed it
  /// nevertheless does no harm.
  [[nodiscard]] bool wants_more() const { return !is_idle_; }
  /// The fields in the order of their rules, folded, each with its CRLF, to stand on top of the message; or
  /// nothing, when no rule is for it. Call once, at the end of the content.
  /// Errors: Errc::too_large, permanent: more than kMaxHeader, or than kMaxSignedFields to sign;
  /// Errc::unavailable, transient: libcrypto failed.
  [[nodiscard]] Result<std::string> finish();

 private:
  [[nodiscard]] std::string_view feed_header(std::string_view content);
  void end_line();
  void begin_body();
  void feed_body(std::string_view content);
  [[nodiscard]] std::string sender_domain(const std::vector<FieldView>& fields) const;

  std::shared_ptr<const Rules> rules_;
  std::string reverse_path_domain_;  // lower case
  WallTime time_;
  std::string header_;          // whole fields, and the line that is being read
  std::size_t line_start_ = 0;  // of that line in header_
  bool in_body_ = false;
  bool is_idle_ = false;
  bool is_too_large_ = false;
  std::vector<const Rule*> chosen_;                  // of rules_
  std::array<std::optional<BodyHash>, 2> bodies_{};  // by Canonicalization
};

}  // namespace relay::dkim

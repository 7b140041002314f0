#pragma once
/// What old applications leave out of messages, put in (RFC 5321 section 6.4): for clients that may relay alone.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "relay/mail/header_edit.hpp"

namespace relay::mail {

/// How one message is mended; what is empty is not.
struct Mending {
  std::string unqualified_domain{};  ///< goes behind addresses without one
  std::string date{};                ///< the value of a missing Date (RFC 5322 section 3.6.1)
  std::string message_id{};          ///< of a missing Message-ID, with its brackets (section 3.6.4)
  std::string from{};                ///< of a missing From (section 3.6.2)

  [[nodiscard]] bool is_nothing() const {
    return unqualified_domain.empty() && date.empty() && message_id.empty() && from.empty();
  }
  friend bool operator==(const Mending&, const Mending&) = default;
};

/// The text of a field of addresses (RFC 5322 section 3.4) with `@domain` behind each mailbox that is a local part alone:
/// `root (Cron)`, `"the boss"`, `Boss <root>`, members of groups. Everything else stays octet by octet: names, comments,
/// encoded words, what has an `@`, what cannot be read, and all of it when it would exceed kMaxQualified.
/// Complexity O(octets).
[[nodiscard]] std::string qualified(std::string_view text, std::string_view domain);
inline constexpr std::size_t kMaxQualified = 64U << 10U;

/// Mends a header as it streams by. Fields that are added come last. Those of addresses are From, Sender, Reply-To, To, Cc
/// and their Resent- forms.
class Mender : public HeaderEditor {
 public:
  explicit Mender(Mending mending) : mending_(std::move(mending)) {}

  Treatment met(std::string_view name) override;
  std::string edited(std::string_view name, std::string text) override;
  std::string end() override;

  /// Octets that the message has grown by so far: they are ours, and no part of what its client may send.
  [[nodiscard]] std::uint64_t added() const { return added_; }

 private:
  Mending mending_;
  bool has_date_ = false;
  bool has_message_id_ = false;
  bool has_from_ = false;
  std::uint64_t added_ = 0;
};

}  // namespace relay::mail

#pragma once
/// A reply as SMTP gives it, and its enhanced status. It lives here because envelopes and queues keep replies
/// too.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::mail {

/// RFC 3463: class.subject.detail, such as 5.7.1.
struct EnhancedStatus {
  std::uint16_t status_class = 0;
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;

  /// Reads a status at the start of `text`, followed by a space or the end; classes 2, 4 and 5, parts up to
  /// 999.
  [[nodiscard]] static std::optional<EnhancedStatus> parse_prefix(std::string_view text);
  [[nodiscard]] std::string to_text() const;
  friend bool operator==(const EnhancedStatus&, const EnhancedStatus&) = default;
};

/// One whole reply. `text` is printable ASCII, lines joined by '\n', without codes.
struct Reply {
  std::uint16_t code = 0;  ///< 200 to 599
  std::optional<EnhancedStatus> status;
  std::string text;

  [[nodiscard]] bool is_positive() const { return code / 100 == 2; }
  [[nodiscard]] bool is_intermediate() const { return code / 100 == 3; }
  [[nodiscard]] bool is_transient() const { return code / 100 == 4; }
  [[nodiscard]] bool is_permanent() const { return code / 100 == 5; }
  /// `250 2.0.0 OK`, lines joined by spaces: for logs and queue listings.
  [[nodiscard]] std::string to_line() const;
  /// What to_line() wrote; nothing when it begins with no code of 200 to 599.
  [[nodiscard]] static std::optional<Reply> parse_line(std::string_view line);
  friend bool operator==(const Reply&, const Reply&) = default;
};

}  // namespace relay::mail

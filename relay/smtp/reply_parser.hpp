#pragma once
/// Reads the replies of a next hop (RFC 5321 section 4.2), trusting none of its octets.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/smtp/reply.hpp"

namespace relay::smtp {

/// What of one reply is kept at most; longer ones are cut, the rest is read and dropped.
inline constexpr std::size_t kMaxReplyText = 2048;
/// Octets after which a reply that does not end is garbage.
inline constexpr std::size_t kMaxReply = 64U << 10U;

/// Takes octets in pieces of any size and gives whole replies.
///
/// A line is three digits (first 2 to 5), then a space, a hyphen or the line end; lines may end in bare LF;
/// the code of the last line counts. Anything else is garbage: then `is_garbage()` holds for good and the
/// connection must close. Text octets outside printable ASCII become '?'. Thread: one at a time.
class ReplyParser {
 public:
  void feed(std::string_view octets) { input_.append(octets); }
  /// The next whole reply, or nothing: then feed more, unless is_garbage().
  [[nodiscard]] std::optional<Reply> next();
  /// Octets that no reply was made of yet. After a reply that ends a group there must be none.
  [[nodiscard]] bool has_leftover() const { return position_ < input_.size(); }
  [[nodiscard]] bool is_garbage() const { return is_garbage_; }
  /// What could not be read, printable and short, for the log.
  [[nodiscard]] std::string leftover() const;

 private:
  bool take_line(std::string_view line);

  std::string input_;
  std::size_t position_ = 0;
  std::size_t octets_ = 0;  // of the reply being read
  bool is_garbage_ = false;
  bool has_lines_ = false;
  Reply reply_;
};

}  // namespace relay::smtp

#pragma once
/// Reads the header part of a message as it streams by, without keeping it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::mail {

struct HeaderLimits {
  /// Of the whole header part; more is refused with 552 5.3.4.
  std::uint64_t max_octets = 512 * 1024;
  /// `Received:` fields: at this many the message loops (RFC 5321 section 6.3).
  std::uint32_t max_received = 100;
  /// `Received:` fields written `by` our own name: a smarthost sends it back.
  std::uint32_t max_own_received = 10;
};

/// Passes content through and sees to six things in its header part:
/// - so that nothing folds into the `Received:` line that will stand above it, content that starts with a
///   space or tab gets one empty line in front, and a header part that meets a line which is no header field
///   gets one before that line (only the first time: from there on all is body);
/// - it counts `Received:` fields, all and those by `hostname`;
/// - it measures the header part;
/// - it notes octets above 0x7F in header fields;
/// - it keeps the first Message-ID;
/// - it notes whether a field is one of those that it watches for.
///
/// A line is a header field when a colon follows a name of up to 1,024 octets without space, tab, CR or LF,
/// blanks before the colon allowed; so odd names (8-bit, NUL, none at all) pass as they are.
/// Input: content whose line ends are all CRLF, in pieces of any size. Holds back at most 1,024 octets
/// between calls.
/// Complexity O(octets). Thread: one at a time.
class HeaderScan {
 public:
  /// @param watched  fields with their values (`Precedence: bulk`), or names alone (`List-Id`), which match whatever
  ///                 the value; case does not count. May be null; outlives the scan
  explicit HeaderScan(
    std::string_view hostname, HeaderLimits limits = {}, const std::vector<std::string>* watched = nullptr
  );

  /// Appends what may pass to `out`.
  void feed(std::string_view content, std::string& out);
  /// Appends what was held back. Call once, at the end of data.
  void finish(std::string& out);

  [[nodiscard]] bool is_looping() const;
  /// Whether a header field holds an octet above 0x7F, in name or text.
  [[nodiscard]] bool has_8bit_header() const { return has_8bit_header_; }
  /// The first Message-ID's value, printable, at most 250 octets; empty when there is none.
  [[nodiscard]] const std::string& message_id() const { return message_id_; }
  [[nodiscard]] bool has_watched_field() const { return has_watched_field_; }
  [[nodiscard]] bool is_too_large() const { return octets_ > limits_.max_octets; }

 private:
  enum class State : std::uint8_t { line_start, name, field, body };
  std::string_view begin_line(std::string_view content, std::string& out);
  std::string_view read_name(std::string_view content, std::string& out);
  std::string_view read_field(std::string_view content, std::string& out);
  void break_header(std::string& out);
  void begin_field(std::string& out);
  void end_field();
  [[nodiscard]] bool is_watched(std::string_view name, std::string_view value) const;

  HeaderLimits limits_;
  std::string hostname_;  // lower case
  State state_ = State::line_start;
  bool is_first_line_ = true;
  const std::vector<std::string>* watched_;
  enum class Kept : std::uint8_t { nothing, received, message_id, watched } kept_ = Kept::nothing;
  bool has_watched_field_ = false;
  bool has_8bit_header_ = false;
  std::string name_;   // the start of a line that may yet be a header field
  std::string field_;  // the name of the field being read, when its text is kept
  std::string text_;   // its text, capped
  std::string message_id_;
  std::uint64_t octets_ = 0;
  std::uint32_t received_count_ = 0;
  std::uint32_t own_received_count_ = 0;
};

}  // namespace relay::mail

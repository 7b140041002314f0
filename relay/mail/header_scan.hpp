#pragma once
/// Reads the header part of a message as it streams by, without keeping it.

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::mail {

struct HeaderLimits {
  /// Of the whole header part; more is refused with 552 5.3.4.
  std::uint64_t max_octets = 512 * 1024;
  /// `Received:` fields: at this many the message loops (RFC 5321 section 6.3).
  std::uint32_t max_received = 100;
  /// `Received:` fields written `by` our own name: a smarthost sends it back.
  std::uint32_t max_own_received = 10;
};

/// Passes content through and sees to four things in its header part:
/// - so that nothing folds into the `Received:` line that will stand above it, content that starts with a
///   space or tab gets one empty line in front, and a header part that meets a line which is no header field
///   gets one before that line (only the first time: from there on all is body);
/// - it counts `Received:` fields, all and those by `hostname`;
/// - it measures the header part;
/// - it notes octets above 0x7F in header fields.
///
/// A line is a header field when a colon follows a name of up to 1,024 octets without space, tab, CR or LF,
/// blanks before the colon allowed; so odd names (8-bit, NUL, none at all) pass as they are.
/// Input: content whose line ends are all CRLF, in pieces of any size. Holds back at most 1,024 octets
/// between calls.
/// Complexity O(octets). Thread: one at a time.
class HeaderScan {
 public:
  explicit HeaderScan(std::string_view hostname, HeaderLimits limits = {});

  /// Appends what may pass to `out`.
  void feed(std::string_view content, std::string& out);
  /// Appends what was held back. Call once, at the end of data.
  void finish(std::string& out);

  [[nodiscard]] bool is_looping() const;
  /// Whether a header field holds an octet above 0x7F, in name or text.
  [[nodiscard]] bool has_8bit_header() const { return has_8bit_header_; }
  [[nodiscard]] bool is_too_large() const { return octets_ > limits_.max_octets; }

 private:
  enum class State : std::uint8_t { line_start, name, field, body };
  std::string_view begin_line(std::string_view content, std::string& out);
  std::string_view read_name(std::string_view content, std::string& out);
  std::string_view read_field(std::string_view content, std::string& out);
  void break_header(std::string& out);
  void begin_field(std::string& out);
  void end_field();

  HeaderLimits limits_;
  std::string hostname_;  // lower case
  State state_ = State::line_start;
  bool is_first_line_ = true;
  bool in_received_ = false;
  bool has_8bit_header_ = false;
  std::string name_;      // the start of a line that may yet be a header field
  std::string received_;  // the text of the Received field being read, capped
  std::uint64_t octets_ = 0;
  std::uint32_t received_count_ = 0;
  std::uint32_t own_received_count_ = 0;
};

}  // namespace relay::mail

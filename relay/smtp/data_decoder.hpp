#pragma once
/// Finds the end of data and undoes dot-stuffing (RFC 5321 section 4.5.2), one octet after the other, however
/// the octets were cut into segments.

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::smtp {

/// What ended the DATA command's own line decides what ends lines in the content.
enum class LineEnding : std::uint8_t {
  crlf,        ///< only CRLF.CRLF ends the data
  lf_or_crlf,  ///< a client that sent `DATA<LF>` (nc, scripts): a line holding one dot ends it
};

/// Content comes out with CRLF line ends only: a bare LF or bare CR inside becomes CRLF, and is never the
/// start of a line as the protocol sees it, so that no content can carry a second message into the next hop.
///
/// Thread: one at a time. Complexity O(octets), no allocation but `out`'s growth.
class DataDecoder {
 public:
  explicit DataDecoder(LineEnding line_ending) : line_ending_(line_ending) {}

  /// Takes octets from the front of `input`, appends content to `out`, and returns how many octets it took:
  /// all, unless the end of data came before.
  std::size_t feed(std::string_view input, std::string& out);

  [[nodiscard]] bool is_done() const { return state_ == State::done; }
  /// A CR or LF that was not part of a line end was met; under `bareLineEndings: reject` this refuses the
  /// message.
  [[nodiscard]] bool met_bare_line_ending() const { return met_bare_line_ending_; }
  /// Octets of the longest line so far, line end not counted.
  [[nodiscard]] std::uint64_t longest_line() const { return longest_line_; }

 private:
  enum class State : std::uint8_t { line_start, dot, dot_cr, text, cr, done };
  void step(char c, std::string& out);
  void count_line(State next);
  void end_line(std::string& out, State next);
  void bare(std::string& out, State next);
  void emit(char c, std::string& out);

  LineEnding line_ending_;
  State state_ = State::line_start;
  bool met_bare_line_ending_ = false;
  std::uint64_t line_ = 0;
  std::uint64_t longest_line_ = 0;
};

/// Doubles the dot at the start of each line (RFC 5321 section 4.5.2). Input: content with CRLF line ends, in
/// pieces of any size. Call terminator() once behind the last piece.
class DotStuffer {
 public:
  /// Appends `content`, stuffed, to `out`.
  void feed(std::string_view content, std::string& out);
  /// What ends the data: `.CRLF`, with a CRLF before it when the content did not end in one.
  [[nodiscard]] std::string_view terminator() const { return at_line_start_ ? ".\r\n" : "\r\n.\r\n"; }

 private:
  bool at_line_start_ = true;
};

}  // namespace relay::smtp

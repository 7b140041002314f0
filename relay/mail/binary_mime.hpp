#pragma once
/// Content of BODY=BINARYMIME (RFC 3030 section 3) is made into content of lines as it comes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/mime_header.hpp"
#include "relay/mail/reply.hpp"

namespace relay::mail {

/// Octets in pieces of any size, content lines out: each ends in CRLF, no CR or LF stands elsewhere. In MIME's words
/// (RFC 2045, 2046):
/// - a body whose Content-Transfer-Encoding is `binary` becomes `base64`, with each of its octets; the CRLF before the
///   delimiter behind it belongs to the delimiter;
/// - multiparts, message/rfc822 and message/global with `binary` become `8bit`. These are looked into whether they say
///   `binary` or not, since few clients label them;
/// - all else is lines, NUL and other octets as they are: a bare LF or CR becomes CRLF, and a last line without an end gets
///   one. So is a multipart without a boundary, and a body that does not say that it is binary.
///
/// Of headers no octet changes but in a Content-Transfer-Encoding of `binary`; the empty line that HeaderScan puts into a
/// header that is none is not put here. A delimiter is a whole line, blanks behind it allowed. Among lines it may follow any
/// line end, since that becomes CRLF; in a binary body only CRLF, which is its own line's end, too.
///
/// What cannot be converted without harm is refused: see refusal(). Content that was made of lines already comes out as
/// it is.
///
/// Thread: one at a time. Complexity O(octets * kMaxDepth) for what begins with `--`, O(octets) for the rest. Holds 23 KiB
/// and what it is fed at once, at most: what MimeHeader holds, kMaxDepth boundaries and a line that may be a delimiter.
class BinaryMime {
 public:
  /// Of parts and messages in one another.
  static constexpr std::size_t kMaxDepth = 32;
  /// Octets of a delimiter's line, blanks behind it counted, its end not (RFC 5321 section 4.5.3.1.6).
  static constexpr std::size_t kMaxDelimiterLine = 998;

  BinaryMime();

  /// Takes all of `octets` and appends lines, or parts of lines, to `out`.
  void feed(std::string_view octets, std::string& out);
  /// Ends the last line. Call at the end of the content; again, it does nothing.
  void finish(std::string& out);

  /// Set: what the message is refused with; 554 5.6.3. What came out is of no use then, and nothing more does. Refused are
  /// signed parts that would change; parts nested deeper than kMaxDepth; boundaries that are too long, or of which one could
  /// be taken for another around it; binary parts that are other message types, have no boundary, a header that
  /// contradicts itself, or no delimiter behind them; and whatever else says in a line of its own that it is binary, but is
  /// taken for lines (behind a line that is no field, in a multipart whose delimiters never come), once a line end that came
  /// otherwise than as CRLF follows, which would be changed.
  [[nodiscard]] const std::optional<Reply>& refusal() const { return refusal_; }
  /// A CR or LF that was no part of a line end was met where there are lines.
  [[nodiscard]] bool met_bare_line_ending() const { return met_bare_line_ending_; }
  /// Octets of the longest line so far, line end not counted; of lines that came as such.
  [[nodiscard]] std::uint64_t longest_line() const { return longest_line_; }

 private:
  struct Multipart {  // that is open
    std::string boundary;
    std::size_t depth = 0;
    bool is_digest = false;
    bool is_signed = false;  // or stands in one that is
  };
  struct Delimiter {
    std::size_t multipart = 0;  // index into open_
    bool is_close = false;
  };
  enum class Line : std::uint8_t {  // of lines, the one being read
    start,
    held,    // in line_: it may be a delimiter
    passed,  // it is none
  };
  enum class Octet : std::uint8_t {  // of a binary body, the one to come
    data,
    behind_cr,
    line,  // of one behind CRLF that may be a delimiter; break_ and line_ are held
    behind_line_cr,
  };

  std::string_view read_lines(std::string_view octets, std::string& out);
  void put(std::string_view text, std::string& out);
  void pass(std::string_view text, std::string& out);
  void release_line(std::string& out);
  void reread(std::string& out);
  void read_label(std::string_view text);
  void close_line(bool is_bare, std::string& out);
  void end_line(std::string& out);

  std::string_view read_binary(std::string_view octets, std::string& out);
  std::string_view read_candidate(std::string_view octets, std::string& out);
  std::string_view end_candidate(std::string_view octets, std::string& out);
  void encode_held(std::string& out);
  void encode(std::string_view octets, std::string& out);
  void end_encoding(std::string& out);
  void finish_binary(std::string& out);

  void begin_header(std::size_t depth, MimeHeader::Place place, bool is_signed);
  void end_header(MimeHeader::Ending ending, std::string& out);
  void begin_body();
  void open_multipart();
  void pass_delimiter(Delimiter delimiter, std::string& out);
  [[nodiscard]] std::optional<Delimiter> delimiter_in(std::string_view line) const;
  [[nodiscard]] bool may_be_delimiter();
  void refuse(std::string_view why);

  std::vector<Multipart> open_;       // outermost first
  std::optional<MimeHeader> header_;  // being read
  std::size_t depth_ = 0;             // of the entity being read
  bool is_signed_ = false;            // a multipart/signed is around it

  bool has_cr_ = false;  // of lines: the last octet was a CR
  Line line_state_ = Line::start;
  std::string line_;  // held
  std::uint64_t line_octets_ = 0;
  std::string label_;         // the start of the line, where that may say that something is binary
  bool is_labelled_ = false;  // a line that is in no header did

  bool is_binary_ = false;  // a binary body is being read
  Octet octet_ = Octet::data;
  std::string_view break_;  // held before line_: a CRLF, or nothing at the start of the body
  std::string pending_;     // less than a line of base64 holds

  bool met_bare_line_ending_ = false;
  std::uint64_t longest_line_ = 0;
  std::optional<Reply> refusal_;
};

}  // namespace relay::mail

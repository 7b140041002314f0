#pragma once
/// Content that comes in chunks of a size told before (CHUNKING, RFC 3030): nothing in it ends it, and no dot is stuffed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/binary_mime.hpp"
#include "relay/mail/reply.hpp"

namespace relay::smtp {

/// What BDAT announces.
struct Chunk {
  std::uint64_t octets = 0;  ///< that follow the command's line
  bool is_last = false;      ///< and with them the message is whole
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

/// Reads what follows `BDAT `: `octets` or `octets LAST`. Nothing for all else, 2^64 octets and more included: then nobody
/// knows where the chunk ends.
[[nodiscard]] std::optional<Chunk> parse_chunk(std::string_view argument);

/// Takes the chunks of one message, however their octets were cut into segments and the message into chunks.
///
/// Content comes out as DataDecoder's does, with CRLF line ends only: a bare LF or bare CR becomes CRLF, and so does a last
/// line without an end get one. All other octets pass as they are, NUL included. What was declared BINARYMIME is made into
/// such lines by mail::BinaryMime, which says what becomes of it and how much more of it is held.
///
/// Thread: one at a time. Complexity O(octets), no allocation but `out`'s growth.
class ChunkDecoder {
 public:
  enum class Content : std::uint8_t { lines, binary_mime };
  explicit ChunkDecoder(Content content = Content::lines);

  /// The next octets are this chunk's. Call when the one before is_at_end().
  void begin(const Chunk& chunk);

  /// Takes octets from the front of `input`, appends content to `out`, and returns how many octets it took: all, unless
  /// the chunk ended before.
  std::size_t feed(std::string_view input, std::string& out);

  /// Ends the line that the message ends in. Call at the end of its last chunk; again, it does nothing.
  void finish(std::string& out);

  /// Every octet of the chunk was taken.
  [[nodiscard]] bool is_at_end() const { return left_ == 0; }
  /// The one that began last.
  [[nodiscard]] const Chunk& chunk() const { return chunk_; }
  /// As DataDecoder has it; a CR that a chunk ends with is not judged before what follows it is known.
  [[nodiscard]] bool met_bare_line_ending() const {
    return binary_ ? binary_->met_bare_line_ending() : met_bare_line_ending_;
  }
  /// Octets of the longest line so far, line end not counted.
  [[nodiscard]] std::uint64_t longest_line() const {
    return binary_ ? binary_->longest_line() : longest_line_;
  }
  /// Why the message can't be taken; set as it comes, or by finish(). Of lines never.
  [[nodiscard]] std::optional<mail::Reply> refusal() const {
    return binary_ ? binary_->refusal() : std::nullopt;
  }

 private:
  void end_line(std::string& out);
  void end_bare_line(std::string& out);

  std::unique_ptr<mail::BinaryMime> binary_;  // null: the content is lines
  Chunk chunk_;
  std::uint64_t left_ = 0;  // octets of chunk_ that have not come
  bool has_cr_ = false;     // the last octet was a CR
  bool met_bare_line_ending_ = false;
  std::uint64_t line_ = 0;
  std::uint64_t longest_line_ = 0;
};

}  // namespace relay::smtp

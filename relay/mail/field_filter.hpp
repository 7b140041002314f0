#pragma once
/// What is changed in a message's header between the client and the next hop.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::mail {

/// The spool keeps content as it came, and this beside it; it is done whenever the content is read to be sent on, signed or
/// reported of. What is left out is what the client sent: what is added stays.
struct HeaderEdits {
  std::string added;                 ///< whole fields, each with its CRLF, to stand above the content
  std::vector<std::string> removed;  ///< names of fields that are left out; case does not count
  std::uint64_t removed_octets = 0;  ///< of the content, by that
  friend bool operator==(const HeaderEdits&, const HeaderEdits&) = default;
};

/// A name that a header field can have, of at most 64 letters, digits, `-` and `_`.
[[nodiscard]] bool is_field_name(std::string_view name);
/// Whole header fields with names as above, of printable ASCII, each on a line of its own; or nothing at all.
[[nodiscard]] bool are_plain_fields(std::string_view text);

/// Passes content through without the header fields of some names, with all lines that they are folded into.
///
/// Input: content as mail::HeaderScan lets it pass, in pieces of any size; the header part ends where it ends there. Holds back
/// at most 1,024 octets between calls. Complexity O(octets of the header * names). Thread: one at a time.
class FieldFilter {
 public:
  /// @param names  in any case
  explicit FieldFilter(std::vector<std::string> names);

  /// Appends what may pass to `out`.
  void feed(std::string_view content, std::string& out);
  /// Appends what was held back. Call once, at the end of the content.
  void finish(std::string& out);

  /// Whether all that comes passes: the header part is over, or no name was given.
  [[nodiscard]] bool is_over() const { return state_ == State::body; }
  /// Octets left out so far, of each name in the order of the names.
  [[nodiscard]] const std::vector<std::uint64_t>& octets() const { return octets_; }

 private:
  enum class State : std::uint8_t { line_start, name, field, body };
  void begin_line(char first);
  std::string_view read_name(std::string_view content, std::string& out);
  std::string_view read_field(std::string_view content, std::string& out);
  void end_header(std::string& out);
  void pass(std::string_view run, std::string& out);

  std::vector<std::string> names_;
  std::vector<std::uint64_t> octets_;
  State state_ = State::line_start;
  std::string name_;       // of the field that begins, as far as it was read
  std::size_t field_ = 0;  // the name of the open field; names_.size(): another
};

}  // namespace relay::mail

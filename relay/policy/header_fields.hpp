#pragma once
/// Fields of a message's header that rules ask for, kept as the content streams by.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay::policy {

/// Takes content with CRLF line ends in pieces of any size and keeps the fields with the names asked for, unfolded, without
/// blanks at both ends. Encoded words (RFC 2047) stay as they are.
/// Memory: at most kMaxOctets of a field and of all fields together, and kMaxFields of these; what is beyond is not looked at.
/// Complexity O(octets of the header). Thread: one at a time.
class HeaderFields {
 public:
  static constexpr std::size_t kMaxOctets = 16U << 10U;
  static constexpr std::size_t kMaxFields = 256;

  /// @param names  in any case
  explicit HeaderFields(std::vector<std::string> names) : names_(std::move(names)) {}

  void feed(std::string_view content);
  /// Behind the last piece: a header may end without an empty line.
  void finish();

  /// Whether a field of this name has a value that the pattern matches; see matches_glob().
  [[nodiscard]] bool has(std::string_view name, std::string_view pattern) const;
  /// Names as they came, and values.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }
  /// Something of the fields asked for was beyond kMaxOctets or kMaxFields.
  [[nodiscard]] bool is_cut() const { return is_cut_; }

 private:
  void end_line();
  void end_field();
  void keep(std::string_view text);

  std::vector<std::string> names_;
  std::string line_;        // so far, cut at kMaxOctets
  bool is_over_ = false;    // the rest is body
  bool is_kept_ = false;    // the open field is one of those asked for
  std::string name_;        // of the open field
  std::string value_;       // of it, so far
  std::size_t octets_ = 0;  // of all values
  bool line_is_cut_ = false;
  bool is_cut_ = false;
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace relay::policy

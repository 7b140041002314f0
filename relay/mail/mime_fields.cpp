#include "relay/mail/mime_fields.hpp"

#include <cstddef>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_break(char c) { return c == '\r' || c == '\n'; }

/// Takes words from the front of a field's text.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  [[nodiscard]] bool is_over() const { return text_.empty(); }

  /// Skips blanks, line ends and comments, which may be nested.
  void skip_blanks() {
    std::size_t depth = 0;
    while (!text_.empty() && (depth > 0 || is_space(text_.front()) || text_.front() == '(')) {
      const char c = take();
      if (c == '\\' && depth > 0 && !text_.empty()) take();
      if (c == '(') ++depth;
      if (c == ')') --depth;
    }
  }

  /// Takes this octet, where it comes next.
  bool skip(char wanted) {
    if (text_.empty() || text_.front() != wanted) return false;
    take();
    return true;
  }

  /// Up to one of `ends`, a blank or a comment.
  std::string word(std::string_view ends) {
    std::string word;
    while (!text_.empty() && !is_space(text_.front()) && text_.front() != '(' &&
           ends.find(text_.front()) == std::string_view::npos)
      word += take();
    return word;
  }

  /// A quoted string, without its quotes; line ends in it only fold it.
  std::string quoted() {
    std::string value;
    while (!text_.empty()) {
      char c = take();
      if (c == '"') break;
      if (c == '\\' && !text_.empty()) c = take();
      if (!is_break(c)) value += c;
    }
    return value;
  }

  /// To where the next parameter begins, or the end.
  void skip_to_parameter() {
    skip_blanks();
    while (!text_.empty() && text_.front() != ';') {
      if (take() == '"') quoted();
      skip_blanks();
    }
    skip(';');
    skip_blanks();
  }

 private:
  char take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }

  std::string_view text_;
};

std::string without_blanks_behind(std::string value) {
  value.erase(value.find_last_not_of(" \t") + 1);
  return value;
}

}  // namespace

MediaType parse_media_type(std::string_view text) {
  Words words(text);
  MediaType media;
  words.skip_blanks();
  auto type = lower(words.word("/;"));
  words.skip_blanks();
  if (!words.skip('/')) return media;
  words.skip_blanks();
  auto subtype = lower(words.word("/;"));
  if (type.empty() || subtype.empty()) return media;
  media.type = std::move(type);
  media.subtype = std::move(subtype);
  bool has_boundary = false;
  for (words.skip_to_parameter(); !words.is_over(); words.skip_to_parameter()) {
    const auto name = lower(words.word("=;"));
    words.skip_blanks();
    if (!words.skip('=')) continue;
    words.skip_blanks();
    const auto value = words.skip('"') ? words.quoted() : words.word(";");
    if (name.starts_with("boundary*")) media.has_extended_boundary = true;
    if (name != "boundary" || has_boundary) continue;
    media.boundary = without_blanks_behind(value);
    has_boundary = true;
  }
  return media;
}

std::string parse_transfer_encoding(std::string_view text) {
  Words words(text);
  words.skip_blanks();
  return lower(words.word(";"));
}

}  // namespace relay::mail

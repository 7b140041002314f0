#include "relay/dkim/field.hpp"

#include <algorithm>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

/// As mail::HeaderScan has it: a longer name makes the line body.
constexpr std::size_t kMaxName = 1024;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// With its line end, when it has one.
std::string_view first_line(std::string_view text) {
  const auto end = text.find('\n');
  return text.substr(0, end == std::string_view::npos ? end : end + 1);
}

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// What an address list is made of (RFC 5322 section 3.2). White space and comments are none of it.
enum class Token : std::uint8_t { end, broken, special, atom, quoted, literal };

class TokenReader {
 public:
  explicit TokenReader(std::string_view text) : rest_(text) {}

  /// Reads the next one; `text()` is what it read.
  Token next() {
    if (!skip_comments()) return Token::broken;
    if (rest_.empty()) return Token::end;
    switch (rest_.front()) {
      case '"': return take_until('"', Token::quoted);
      case '[': return take_until(']', Token::literal);
      case '<':
      case '>':
      case '@':
      case ',':
      case ';':
      case ':':
      case '.': return take(1, Token::special);
      case ')':
      case ']': return Token::broken;
      default: return take(std::min(rest_.find_first_of(" \t\r\n()<>[]:;@,.\""), rest_.size()), Token::atom);
    }
  }

  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  Token take(std::size_t size, Token token) {
    text_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
  }

  Token take_until(char closing, Token token) {
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == closing) return take(i + 1, token);
      if (rest_[i] == '\\') ++i;
    }
    return Token::broken;
  }

  /// White space and comments, which nest. False when one is not closed.
  bool skip_comments() {
    std::size_t depth = 0;
    std::size_t i = 0;
    for (; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '(') ++depth;
      else if (depth == 0 && !is_blank(c) && c != '\r' && c != '\n') break;
      else if (depth > 0 && c == ')') --depth;
      else if (depth > 0 && c == '\\') ++i;
    }
    rest_.remove_prefix(std::min(i, rest_.size()));
    return depth == 0;
  }

  std::string_view rest_;
  std::string_view text_;
};

/// Finds the first mailbox of an address list. A token decides; none is looked at twice.
class MailboxReader {
 public:
  explicit MailboxReader(std::string_view text) : tokens_(text) {}

  std::optional<std::string> read() {
    while (true) {
      const auto token = tokens_.next();
      switch (token) {
        case Token::broken: return std::nullopt;
        case Token::end: return in_angle_ ? std::nullopt : domain();
        case Token::atom:
        case Token::quoted:
        case Token::literal: take_word(token); break;
        case Token::special:
          if (tokens_.text() == ".") take_dot();
          else if (takes_separator(tokens_.text().front())) return domain();
          break;
      }
    }
  }

 private:
  void take_word(Token token) {
    if (!in_domain_) {
      has_local_part_ = true;
    } else if (token != Token::atom || (!domain_.empty() && !domain_.ends_with('.'))) {
      is_broken_ = true;
    } else {
      domain_ += tokens_.text();
    }
  }

  void take_dot() {
    if (in_domain_) domain_ += '.';
  }

  /// True when the mailbox is complete.
  bool takes_separator(char c) {
    switch (c) {
      case '<':
        // What stood before was a display name, even when it looks like an address.
        is_broken_ = in_angle_;
        begin_address();
        in_angle_ = true;
        return is_broken_;
      case '>': is_broken_ = is_broken_ || !in_angle_; return true;
      case '@':
        is_broken_ = is_broken_ || in_domain_ || (!has_local_part_ && !in_angle_);
        in_domain_ = true;
        return false;
      case ':':  // a group's name, or a route (RFC 5322 section 4.4)
        is_broken_ = false;
        begin_address();
        return false;
      default:  // a comma or semicolon
        if (!in_angle_ && in_domain_) return true;
        begin_address();
        return false;
    }
  }

  void begin_address() {
    in_domain_ = false;
    has_local_part_ = false;
    domain_.clear();
  }

  [[nodiscard]] std::optional<std::string> domain() const {
    if (is_broken_ || !has_local_part_ || !is_host_name(domain_)) return std::nullopt;
    return lower(domain_);
  }

  TokenReader tokens_;
  std::string domain_;
  bool has_local_part_ = false;
  bool in_domain_ = false;
  bool in_angle_ = false;
  bool is_broken_ = false;
};

}  // namespace

bool is_header_line(std::string_view line, bool is_first) {
  if (!line.empty() && is_blank(line.front())) return !is_first;
  const auto colon = line.substr(0, kMaxName + 1).find(':');
  if (colon == std::string_view::npos) return false;
  const auto before = line.substr(0, colon);
  const auto end = before.find_first_of(" \t\r\n");
  return end == std::string_view::npos || before.find_first_not_of(" \t", end) == std::string_view::npos;
}

std::vector<FieldView> split_fields(std::string_view header) {
  std::vector<FieldView> fields;
  while (!header.empty() && is_header_line(first_line(header), true)) {
    auto size = first_line(header).size();
    while (size < header.size() && is_blank(header[size])) size += first_line(header.substr(size)).size();
    const auto whole = without_line_end(header.substr(0, size));
    const auto colon = whole.find(':');
    fields.push_back({trimmed(whole.substr(0, colon)), whole.substr(colon + 1), whole});
    header.remove_prefix(size);
  }
  return fields;
}

std::optional<std::string> mailbox_domain(std::string_view value) { return MailboxReader(value).read(); }

}  // namespace relay::dkim

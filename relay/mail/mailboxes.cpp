#include "relay/mail/mailboxes.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace relay::mail {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<std::vector<Address>> read() {
    while (!rest_.empty() && !is_broken_) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      take(c);
    }
    end_mailbox();
    if (is_broken_ || in_angle_) return std::nullopt;
    return std::move(found_);
  }

 private:
  void take(char c) {
    switch (c) {
      case '(': return skip_comment();
      case '"': return take_quoted();
      case '<':
        is_broken_ = in_angle_ || had_angle_;
        text_.clear();  // a display name, even when it looks like an address
        in_angle_ = had_angle_ = true;
        return;
      case '>':
        is_broken_ = !in_angle_;
        in_angle_ = false;
        return;
      case '[': return take_literal();
      case ':':  // behind a group's name, or a route (RFC 5322 section 4.4)
        is_broken_ = !in_angle_ && (had_angle_ || text_.find('@') != std::string::npos);
        text_.clear();
        return;
      case ',':
      case ';':
        if (in_angle_) text_ += c;  // of a route
        else end_mailbox();
        return;
      default:
        if (is_space(c)) return;
        if (had_angle_ && !in_angle_) is_broken_ = true;
        text_ += c;
    }
  }

  void end_mailbox() {
    if (text_.find('@') != std::string::npos) {
      auto address = Address::parse(text_, Charset::utf8);
      if (address) found_.push_back(std::move(*address));
      else is_broken_ = true;
    }
    text_.clear();
    had_angle_ = false;
  }

  /// Comments nest.
  void skip_comment() {
    std::size_t depth = 1;
    std::size_t i = 0;
    for (; i < rest_.size() && depth > 0; ++i) {
      if (rest_[i] == '\\') ++i;
      else if (rest_[i] == '(') ++depth;
      else if (rest_[i] == ')') --depth;
    }
    is_broken_ = depth > 0;
    rest_.remove_prefix(std::min(i, rest_.size()));
  }

  void take_quoted() {
    if (had_angle_ && !in_angle_) is_broken_ = true;
    text_ += '"';
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      text_ += rest_[i];
      if (rest_[i] == '\\' && i + 1 < rest_.size()) {
        text_ += rest_[++i];
      } else if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return;
      }
    }
    is_broken_ = true;
  }

  void take_literal() {
    const auto end = rest_.find(']');
    is_broken_ = end == std::string_view::npos;
    if (is_broken_) return;
    text_.append("[").append(rest_.substr(0, end + 1));
    rest_.remove_prefix(end + 1);
  }

  std::string_view rest_;
  std::string text_;  // of the mailbox that is being read
  bool in_angle_ = false;
  bool had_angle_ = false;
  bool is_broken_ = false;
  std::vector<Address> found_;
};

}  // namespace

std::optional<std::vector<Address>> mailboxes_of(std::string_view value) { return Reader(value).read(); }

}  // namespace relay::mail

#include "relay/mail/mending.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "relay/base/text.hpp"
#include "relay/mail/address.hpp"

namespace relay::mail {
namespace {

constexpr std::array<std::string_view, 9> kAddressFields{
  "From", "Sender", "Reply-To", "To", "Cc", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc"
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Finds where a domain is missing in a list of addresses.
class Mailboxes {
 public:
  Mailboxes(std::string_view text, std::string_view domain) : text_(text), domain_(domain) {}

  /// Positions behind local parts without a domain, ascending; none when the text can't be read.
  std::vector<std::size_t> unqualified() {
    for (at_ = 0; at_ < text_.size(); ++at_) take(text_[at_]);
    if (depth_ > 0 || is_quoted_ || is_in_brackets_) return {};
    end_item();
    return std::move(found_);
  }

 private:
  void take(char c) {
    if (depth_ > 0) return take_comment(c);
    if (is_quoted_) return take_quoted(c);
    if (is_space(c)) {
      is_in_word_ = false;
      return;
    }
    switch (c) {
      case '(':
        depth_ = 1;
        is_in_word_ = false;
        return;
      case '"': is_quoted_ = true; return add_to_word();
      case '<': begin_brackets(); return;
      case '>': end_brackets(); return;
      case ',':
      case ';':
        if (!is_in_brackets_) return end_item();
        break;
      case ':':
        if (!is_in_brackets_) return forget_item();  // it was the name of a group
        break;
      case '@': has_domain_ = true; break;
      default: break;
    }
    add_to_word();
  }
  void take_comment(char c) {
    if (c == '\\') ++at_;
    else if (c == '(') ++depth_;
    else if (c == ')') --depth_;
  }
  void take_quoted(char c) {
    if (c == '\\') ++at_;
    else if (c == '"') is_quoted_ = false;
    word_end_ = std::min(at_ + 1, text_.size());
  }
  void add_to_word() {
    if (!is_in_word_) {
      ++words_;
      word_begin_ = at_;
    }
    is_in_word_ = true;
    word_end_ = at_ + 1;
  }
  /// What stood before was a name.
  void begin_brackets() {
    forget_item();
    is_in_brackets_ = true;
  }
  void end_brackets() {
    if (!is_in_brackets_) return;
    note();
    is_in_brackets_ = false;
    has_domain_ = true;  // what follows up to the next item is no address
  }
  void end_item() {
    note();
    forget_item();
  }
  /// The one word there is, when it is a local part.
  void note() {
    if (words_ != 1 || has_domain_) return;
    const auto word = text_.substr(word_begin_, word_end_ - word_begin_);
    const bool is_encoded = word.starts_with("=?");  // a name (RFC 2047), not an address
    const auto address = std::string(word) + "@" + std::string(domain_);
    if (!is_encoded && Address::parse(address, Charset::utf8)) found_.push_back(word_end_);
  }
  void forget_item() {
    words_ = 0;
    has_domain_ = is_in_word_ = false;
  }

  std::string_view text_;
  std::string_view domain_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;  // of comments
  bool is_quoted_ = false;
  bool is_in_brackets_ = false;
  std::size_t words_ = 0;  // of the item, or between its brackets
  bool has_domain_ = false;
  bool is_in_word_ = false;
  std::size_t word_begin_ = 0;  // of the last word
  std::size_t word_end_ = 0;
  std::vector<std::size_t> found_;
};

}  // namespace

std::string qualified(std::string_view text, std::string_view domain) {
  const auto missing = Mailboxes(text, domain).unqualified();
  if (text.size() + missing.size() * (domain.size() + 1) > kMaxQualified) return std::string(text);
  std::string out;
  std::size_t from = 0;
  for (const auto at : missing) {
    out.append(text.substr(from, at - from)).append(1, '@').append(domain);
    from = at;
  }
  return out.append(text.substr(from));
}

HeaderEditor::Treatment Mender::met(std::string_view name) {
  has_date_ = has_date_ || equals_ignoring_case(name, "Date");
  has_message_id_ = has_message_id_ || equals_ignoring_case(name, "Message-ID");
  has_from_ = has_from_ || equals_ignoring_case(name, "From");
  if (mending_.unqualified_domain.empty()) return Treatment::pass;
  const bool has_addresses = std::any_of(kAddressFields.begin(), kAddressFields.end(), [&](auto field) {
    return equals_ignoring_case(name, field);
  });
  return has_addresses ? Treatment::edit : Treatment::pass;
}

std::string Mender::edited(std::string_view /*name*/, std::string text) {
  auto mended = qualified(text, mending_.unqualified_domain);
  added_ += mended.size() - text.size();
  return mended;
}

std::string Mender::end() {
  std::string fields;
  const auto add = [&](bool is_there, std::string_view name, const std::string& value) {
    if (!is_there && !value.empty()) fields.append(name).append(": ").append(value).append("\r\n");
  };
  add(has_date_, "Date", mending_.date);
  add(has_from_, "From", mending_.from);
  add(has_message_id_, "Message-ID", mending_.message_id);
  added_ += fields.size();
  return fields;
}

}  // namespace relay::mail

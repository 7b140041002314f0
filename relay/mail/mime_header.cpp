#include "relay/mail/mime_header.hpp"

#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

/// As HeaderScan has it: a longer name makes the line body.
constexpr std::size_t kMaxName = 1024;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Reply no_conversion(std::string_view why) {
  return {554, EnhancedStatus{5, 6, 3}, "Binary content can't be converted: " + std::string(why)};
}

bool MimeHeader::feed(std::string_view text, std::string& out) {
  if (text.empty()) return true;
  if (state_ == State::line_start) {
    const bool goes_on = is_blank(text.front());
    if (goes_on && field_ == Field::none) {
      line_ = text;
      return false;
    }
    if (!goes_on) end_field(out);
    state_ = goes_on ? State::value : State::name;
  }
  if (state_ == State::value) {
    add(text, out);
    return true;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') {
      begin_field(out);
      add(text.substr(i), out);
      return true;
    }
    const bool has_ended = !line_.empty() && is_blank(line_.back());
    if ((has_ended && !is_blank(c)) || line_.size() == kMaxName) {
      line_.append(text.substr(i));
      return false;
    }
    line_ += c;
  }
  return true;
}

MimeHeader::Step MimeHeader::end_line(std::string& out) {
  switch (state_) {
    case State::line_start:
      end(Ending::orderly, out);
      out.append("\r\n");
      return Step::over;
    case State::name: return Step::broken;
    case State::value: break;
  }
  add("\r\n", out);
  state_ = State::line_start;
  return Step::more;
}

void MimeHeader::end(Ending ending, std::string& out) {
  end_field(out);
  if (!type_) {
    type_ = place_ == Place::digest ? MediaType{"message", "rfc822"} : MediaType{};
    release(out);
  }
  if (is_binary_ && ending == Ending::broken) refuse("a line of a header is no field");
  decide();
  if (refusal_) kind_ = BodyKind::lines;
}

std::string MimeHeader::take_back() { return std::exchange(line_, {}); }

void MimeHeader::begin_field(std::string& out) {
  const auto name = trimmed(line_);
  field_ = Field::other;
  if (equals_ignoring_case(name, "content-type")) field_ = Field::type;
  if (equals_ignoring_case(name, "content-transfer-encoding")) field_ = Field::encoding;
  if (field_ == Field::encoding) name_ = line_;
  else pass(line_, out);
  line_.clear();
  state_ = State::value;
}

void MimeHeader::add(std::string_view text, std::string& out) {
  if (field_ != Field::encoding) pass(text, out);
  if (field_ == Field::other) return;
  text_.append(text.substr(0, kMaxField + 1 - text_.size()));
  if (text_.size() > kMaxField) refuse("a Content-Type or Content-Transfer-Encoding is longer than 8 KiB");
}

void MimeHeader::end_field(std::string& out) {
  switch (std::exchange(field_, Field::none)) {
    case Field::none:
    case Field::other: break;
    case Field::type: end_type(out); break;
    case Field::encoding: end_encoding(out); break;
  }
  text_.clear();
  if (is_binary_ && is_repeated_) refuse("a header has two Content-Types or Content-Transfer-Encodings");
}

void MimeHeader::end_encoding(std::string& out) {
  auto encoding = parse_transfer_encoding(std::string_view(text_).substr(1));
  is_repeated_ = is_repeated_ || encoding_.has_value();
  const bool is_binary = encoding == "binary";
  if (!encoding_) encoding_ = std::move(encoding);
  if (!is_binary) {
    pass(name_, out);
    return pass(text_, out);
  }
  is_binary_ = true;
  binary_name_ = name_;
  if (type_) release(out);
}

void MimeHeader::end_type(std::string& out) {
  is_repeated_ = is_repeated_ || type_.has_value();
  if (!type_) type_ = parse_media_type(std::string_view(text_).substr(1));
  release(out);
}

void MimeHeader::pass(std::string_view text, std::string& out) {
  if (!binary_name_) {
    out.append(text);
  } else if (!refusal_) {
    held_.append(text);
    if (held_.size() > kMaxHeld) refuse("a Content-Type stands too far behind its Content-Transfer-Encoding");
  }
}

/// The type is known: writes the encoding that waits for it, and what was held back.
void MimeHeader::release(std::string& out) {
  if (!binary_name_) return;
  decide();
  out.append(*binary_name_).append(kind_ == BodyKind::binary ? ": base64\r\n" : ": 8bit\r\n").append(held_);
  binary_name_.reset();
  held_.clear();
}

/// By type and encoding.
void MimeHeader::decide() {
  if (is_binary_ && is_signed_) refuse("it is signed; sign what is encoded");
  if (type_->type == "multipart") {
    kind_ = multipart();
  } else if (type_->type == "message" && (type_->subtype == "rfc822" || type_->subtype == "global")) {
    kind_ = has_plain_encoding() ? BodyKind::message : BodyKind::lines;
  } else {
    kind_ = is_binary_ ? BodyKind::binary : BodyKind::lines;
    if (is_binary_ && type_->type == "message") refuse("of message/* only rfc822 and global may be binary");
  }
}

BodyKind MimeHeader::multipart() {
  if (!has_plain_encoding()) return BodyKind::lines;
  if (type_->has_extended_boundary) refuse("a boundary is written as RFC 2231 does");
  if (type_->boundary.size() > kMaxBoundary) refuse("a boundary is longer than 70 octets");
  if (!type_->boundary.empty()) return BodyKind::multipart;
  if (is_binary_) refuse("a multipart has no boundary");
  return BodyKind::lines;
}

/// Octets stand for themselves. Only such a body has parts that can be told.
bool MimeHeader::has_plain_encoding() const {
  return is_binary_ || !encoding_ || encoding_->empty() || *encoding_ == "7bit" || *encoding_ == "8bit";
}

/// The first reason counts.
void MimeHeader::refuse(std::string_view why) {
  if (!refusal_) refusal_ = no_conversion(why);
}

}  // namespace relay::mail

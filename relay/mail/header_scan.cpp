#include "relay/mail/header_scan.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/mail/utf8.hpp"

namespace relay::mail {
namespace {

constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxText = 2048;
constexpr std::size_t kMaxMessageId = 250;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Whether the text of a Received field says that `hostname` wrote it. Both in lower case.
bool is_written_by(std::string_view text, std::string_view hostname) {
  for (auto at = text.find("by"); at != std::string_view::npos; at = text.find("by", at + 2)) {
    if (at == 0 || (!is_blank(text[at - 1]) && text[at - 1] != '\n')) continue;
    const auto word = trimmed(text.substr(at + 2));
    if (!word.starts_with(hostname)) continue;
    const auto rest = word.substr(hostname.size());
    if (rest.empty() || is_blank(rest.front()) ||
        std::string_view("\r\n;(").find(rest.front()) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

/// A field's text behind its colon, without line ends and surrounding blanks.
std::string unfolded(std::string_view text) {
  if (text.starts_with(':')) text.remove_prefix(1);
  std::string value;
  value.reserve(text.size());
  for (const char c : text) {
    if (c != '\r' && c != '\n') value += c;
  }
  return std::string(trimmed(value));
}

}  // namespace

HeaderScan::HeaderScan(
  std::string_view hostname, HeaderLimits limits, const std::vector<std::string>* watched
)
    : limits_(limits), hostname_(lower(hostname)), watched_(watched) {}

void HeaderScan::feed(std::string_view content, std::string& out) {
  while (!content.empty() && state_ != State::body) {
    const auto before = content.size();
    switch (state_) {
      case State::line_start: content = begin_line(content, out); break;
      case State::name: content = read_name(content, out); break;
      case State::field: content = read_field(content, out); break;
      case State::body: break;
    }
    octets_ += before - content.size();
  }
  out.append(content);
}

void HeaderScan::finish(std::string& out) {
  if (state_ == State::name) break_header(out);
  else if (state_ != State::body) end_field();
}

bool HeaderScan::is_looping() const {
  return received_count_ >= limits_.max_received || own_received_count_ >= limits_.max_own_received;
}

/// Looks at the first octet of a line; takes it only when the line goes on in the same field.
std::string_view HeaderScan::begin_line(std::string_view content, std::string& out) {
  const bool goes_on = is_blank(content.front());
  if (goes_on && !is_first_line_) {
    state_ = State::field;
    return content;
  }
  end_field();
  if (goes_on) {
    break_header(out);
  } else {
    state_ = content.front() == '\r' ? State::body : State::name;
  }
  is_first_line_ = false;
  return content;
}

std::string_view HeaderScan::read_name(std::string_view content, std::string& out) {
  while (!content.empty()) {
    const char c = content.front();
    const bool name_ended = !name_.empty() && is_blank(name_.back());
    if (c == ':') {
      begin_field(out);
      return content;
    }
    if (c == '\r' || c == '\n' || (name_ended && !is_blank(c)) || name_.size() == kMaxName) {
      break_header(out);
      return content;
    }
    name_ += c;
    content.remove_prefix(1);
  }
  return content;
}

std::string_view HeaderScan::read_field(std::string_view content, std::string& out) {
  const auto end = content.find('\n');
  const auto line = content.substr(0, end == std::string_view::npos ? end : end + 1);
  out.append(line);
  has_8bit_header_ = has_8bit_header_ || !is_ascii(line);
  if (kept_ != Kept::nothing) text_.append(line.substr(0, kMaxText - std::min(kMaxText, text_.size())));
  if (end != std::string_view::npos) state_ = State::line_start;
  return content.substr(line.size());
}

/// What comes is no header field: from here on all is body.
void HeaderScan::break_header(std::string& out) {
  out.append("\r\n").append(name_);
  name_.clear();
  state_ = State::body;
}

void HeaderScan::begin_field(std::string& out) {
  const auto name = trimmed(name_);
  kept_ = Kept::nothing;
  if (equals_ignoring_case(name, "received")) kept_ = Kept::received;
  else if (message_id_.empty() && equals_ignoring_case(name, "message-id")) kept_ = Kept::message_id;
  else if (watched_ != nullptr && !watched_->empty() && !has_watched_field_) kept_ = Kept::watched;
  if (kept_ == Kept::received) ++received_count_;
  if (kept_ == Kept::watched) field_ = name;
  has_8bit_header_ = has_8bit_header_ || !is_ascii(name_);
  out.append(name_);
  name_.clear();
  state_ = State::field;
}

void HeaderScan::end_field() {
  switch (kept_) {
    case Kept::nothing: break;
    case Kept::received:
      if (is_written_by(lower(text_), hostname_)) ++own_received_count_;
      break;
    case Kept::message_id: message_id_ = printable(unfolded(text_), kMaxMessageId); break;
    case Kept::watched: has_watched_field_ = is_watched(field_, unfolded(text_)); break;
  }
  kept_ = Kept::nothing;
  text_.clear();
}

bool HeaderScan::is_watched(std::string_view name, std::string_view value) const {
  return std::any_of(watched_->begin(), watched_->end(), [&](std::string_view entry) {
    const auto colon = entry.find(':');
    if (!equals_ignoring_case(trimmed(entry.substr(0, colon)), name)) return false;
    const auto wanted = colon == std::string_view::npos ? "" : trimmed(entry.substr(colon + 1));
    return wanted.empty() || equals_ignoring_case(wanted, value);
  });
}

}  // namespace relay::mail

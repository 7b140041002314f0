#include "relay/mail/field_filter.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

constexpr std::size_t kMaxFieldName = 64;
/// As HeaderScan has it: a longer name makes the line body.
constexpr std::size_t kMaxName = 1024;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_plain_field(std::string_view line) {
  const auto colon = line.find(':');
  return colon != std::string_view::npos && is_field_name(line.substr(0, colon)) &&
         std::all_of(line.begin(), line.end(), is_printable);
}

}  // namespace

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFieldName &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

bool are_plain_fields(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos || !is_plain_field(text.substr(0, end))) return false;
    text.remove_prefix(end + 2);
  }
  return true;
}

FieldFilter::FieldFilter(std::vector<std::string> names)
    : names_(std::move(names)), octets_(names_.size()), field_(names_.size()) {
  if (names_.empty()) state_ = State::body;
}

void FieldFilter::feed(std::string_view content, std::string& out) {
  while (!content.empty() && state_ != State::body) {
    switch (state_) {
      case State::line_start: begin_line(content.front()); break;
      case State::name: content = read_name(content, out); break;
      case State::field: content = read_field(content, out); break;
      case State::body: break;
    }
  }
  out.append(content);
}

void FieldFilter::finish(std::string& out) { out.append(std::exchange(name_, {})); }

void FieldFilter::begin_line(char first) {
  if (is_blank(first)) state_ = State::field;  // of the field before
  else state_ = first == '\r' ? State::body : State::name;
}

std::string_view FieldFilter::read_name(std::string_view content, std::string& out) {
  for (; !content.empty(); content.remove_prefix(1)) {
    const char c = content.front();
    if (c == ':') {
      const auto name = trimmed(name_);
      const auto found = std::find_if(names_.begin(), names_.end(), [&](const auto& wanted) {
        return equals_ignoring_case(wanted, name);
      });
      field_ = static_cast<std::size_t>(found - names_.begin());
      pass(name_, out);
      name_.clear();
      state_ = State::field;
      return content;
    }
    const bool has_ended = !name_.empty() && is_blank(name_.back());
    if (c == '\r' || c == '\n' || (has_ended && !is_blank(c)) || name_.size() == kMaxName) {
      end_header(out);
      return content;
    }
    name_ += c;
  }
  return content;
}

std::string_view FieldFilter::read_field(std::string_view content, std::string& out) {
  const auto end = content.find('\n');
  const auto line = content.substr(0, end == std::string_view::npos ? end : end + 1);
  pass(line, out);
  if (end != std::string_view::npos) state_ = State::line_start;
  return content.substr(line.size());
}

void FieldFilter::end_header(std::string& out) {
  out.append(std::exchange(name_, {}));
  state_ = State::body;
}

void FieldFilter::pass(std::string_view run, std::string& out) {
  if (field_ == names_.size()) out.append(run);
  else octets_[field_] += run.size();
}

}  // namespace relay::mail

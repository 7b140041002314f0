#include "relay/mail/header_edit.hpp"

#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

using Treatment = HeaderEditor::Treatment;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

void HeaderEdit::feed(std::string_view content, HeaderEditor& editor, std::string& out) {
  while (!content.empty() && state_ != State::body) {
    switch (state_) {
      case State::line_start: content = begin_line(content, editor, out); break;
      case State::name: content = read_name(content, editor, out); break;
      case State::field: content = read_field(content, out); break;
      case State::body: break;
    }
  }
  out.append(content);
}

void HeaderEdit::finish(HeaderEditor& editor, std::string& out) {
  const auto state = std::exchange(state_, State::body);
  switch (state) {
    case State::line_start:
      end_field(editor, out);
      out += editor.end();
      break;
    case State::name: break_header(editor, out); break;
    case State::field: {  // its last line has no end
      end_field(editor, out);
      const auto more = editor.end();
      if (!more.empty()) (out += "\r\n") += more;
      break;
    }
    case State::body: break;
  }
}

/// Looks at the first octet of a line; takes it only when the line goes on in the same field.
std::string_view HeaderEdit::begin_line(std::string_view content, HeaderEditor& editor, std::string& out) {
  const bool goes_on = is_blank(content.front());
  if (goes_on && !is_first_line_) {
    state_ = State::field;
    return content;
  }
  end_field(editor, out);
  is_first_line_ = false;
  if (goes_on) {
    break_header(editor, out);
  } else if (content.front() == '\r') {
    out += editor.end();
    state_ = State::body;
  } else {
    state_ = State::name;
  }
  return content;
}

std::string_view HeaderEdit::read_name(std::string_view content, HeaderEditor& editor, std::string& out) {
  while (!content.empty()) {
    const char c = content.front();
    const bool name_ended = !name_.empty() && is_blank(name_.back());
    if (c == ':') {
      begin_field(editor, out);
      return content;
    }
    if (c == '\r' || c == '\n' || (name_ended && !is_blank(c)) || name_.size() == kMaxName) {
      break_header(editor, out);
      return content;
    }
    name_ += c;
    content.remove_prefix(1);
  }
  return content;
}

/// The colon comes with the text: what passes, passes octet by octet.
std::string_view HeaderEdit::read_field(std::string_view content, std::string& out) {
  const auto end = content.find('\n');
  const auto line = content.substr(0, end == std::string_view::npos ? end : end + 1);
  if (end != std::string_view::npos) state_ = State::line_start;
  switch (treatment_) {
    case Treatment::drop: break;
    case Treatment::pass: out.append(line); break;
    case Treatment::edit:
      text_.append(line);
      if (text_.size() > kMaxField) {
        treatment_ = Treatment::pass;
        out.append(std::exchange(name_, {})).append(std::exchange(text_, {}));
      }
      break;
  }
  return content.substr(line.size());
}

void HeaderEdit::begin_field(HeaderEditor& editor, std::string& out) {
  treatment_ = editor.met(trimmed(name_));
  if (treatment_ == Treatment::pass) out.append(name_);
  if (treatment_ != Treatment::edit) name_.clear();
  state_ = State::field;
}

void HeaderEdit::end_field(HeaderEditor& editor, std::string& out) {
  if (std::exchange(treatment_, Treatment::pass) != Treatment::edit) return;
  auto text = std::exchange(text_, {});
  out.append(name_).append(1, ':').append(editor.edited(trimmed(name_), text.substr(1)));
  name_.clear();
}

/// What comes is no header field: from here on all is body. Behind fields that are added an empty line says so.
void HeaderEdit::break_header(HeaderEditor& editor, std::string& out) {
  const auto more = editor.end();
  if (!more.empty()) out.append(more).append("\r\n");
  out.append(std::exchange(name_, {}));
  state_ = State::body;
}

}  // namespace relay::mail

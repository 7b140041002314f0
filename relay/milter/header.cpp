#include "relay/milter/header.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::milter {
namespace {

constexpr std::string_view kCrLf = "\r\n";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The end of the field at the front of `text`, folded lines included.
std::size_t end_of_field(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size()) {
    const auto line = text.find('\n', end);
    end = line == std::string_view::npos ? text.size() : line + 1;
    if (end < text.size() && !is_blank(text[end])) break;
  }
  return end;
}

Header::Field read_field(std::string_view text) {
  const auto name = text.substr(0, text.find(':'));
  return {std::string(name), std::string(text.substr(name.size()))};
}

Header::Field written(const Edit& edit, bool with_space) {
  std::string_view value = edit.value;
  while (value.ends_with('\n') || value.ends_with('\r')) value.remove_suffix(1);
  std::string rest = with_space ? ":" : ": ";
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\r' || c == '\0') continue;
    if (c != '\n') {
      rest += c;
      continue;
    }
    // A line of nothing would end the header in the eyes of those that trim, so it is left out.
    const auto next = value.find_first_not_of("\r\n", i);
    rest += kCrLf;
    if (!is_blank(value[next])) rest += ' ';
    i = next - 1;
  }
  rest += kCrLf;
  return {edit.name, std::move(rest)};
}

}  // namespace

std::size_t HeaderEnd::feed(std::string_view content) {
  if (is_met_) return 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\n' && last_ == '\r' && in_line_ == 1) {
      is_met_ = true;
      return i + 1;
    }
    in_line_ = c == '\n' ? 0 : in_line_ + 1;
    last_ = c;
  }
  return content.size();
}

Header Header::parse(std::string_view text) {
  Header header;
  while (!text.empty()) {
    if (text == kCrLf) {
      header.end_ = kCrLf;
      break;
    }
    const auto end = end_of_field(text);
    header.fields_.push_back(read_field(text.substr(0, end)));
    text.remove_prefix(end);
  }
  return header;
}

std::string Header::to_text() const {
  std::string text;
  for (const auto& field : fields_) text += field.name + field.rest;
  return text + end_;
}

std::string Header::value_of(const Field& field, bool with_space) {
  std::string_view rest = field.rest;
  if (rest.starts_with(':')) rest.remove_prefix(1);
  if (rest.ends_with(kCrLf)) rest.remove_suffix(kCrLf.size());
  while (!with_space && !rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
  std::string value;
  std::copy_if(rest.begin(), rest.end(), std::back_inserter(value), [](char c) {
    return c != '\r' && c != '\0';
  });
  return value;
}

void Header::apply(const Edit& edit, bool with_space) {
  switch (edit.kind) {
    case Edit::Kind::add_header: return insert(fields_.size(), written(edit, with_space));
    case Edit::Kind::insert_header: return insert(edit.index, written(edit, with_space));
    case Edit::Kind::change_header: {
      auto left = std::max<std::uint32_t>(edit.index, 1);
      const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) {
        return equals_ignoring_case(trimmed(field.name), edit.name) && --left == 0;
      });
      const bool is_there = found != fields_.end();
      if (edit.value.empty()) {
        if (is_there) fields_.erase(found);
      } else if (is_there) {
        *found = written(edit, with_space);
      } else {
        insert(fields_.size(), written(edit, with_space));
      }
      return;
    }
    case Edit::Kind::add_recipient:
    case Edit::Kind::remove_recipient:
    case Edit::Kind::change_sender:
    case Edit::Kind::quarantine: return;
  }
}

void Header::insert(std::size_t at, Field field) {
  at = std::min(at, fields_.size());
  // Content that came in chunks may end within its last field (RFC 3030).
  if (at > 0 && !fields_[at - 1].rest.ends_with(kCrLf)) fields_[at - 1].rest += kCrLf;
  fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(at), std::move(field));
}

}  // namespace relay::milter

#include "relay/policy/header_fields.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/policy/glob.hpp"

namespace relay::policy {

void HeaderFields::feed(std::string_view content) {
  for (std::size_t at = 0; at < content.size() && !is_over_;) {
    const auto end = content.find('\n', at);
    const auto piece = content.substr(at, end == std::string_view::npos ? end : end - at);
    const auto taken = piece.substr(0, kMaxOctets - line_.size());
    line_is_cut_ = line_is_cut_ || taken.size() < piece.size();
    line_ += taken;
    if (end == std::string_view::npos) return;
    if (line_.ends_with('\r')) line_.pop_back();
    end_line();
    at = end + 1;
  }
}

void HeaderFields::finish() {
  if (is_over_) return;
  if (!line_.empty()) end_line();
  end_field();
  is_over_ = true;
}

void HeaderFields::end_line() {
  const auto line = std::exchange(line_, {});
  const bool was_cut = std::exchange(line_is_cut_, false);
  const bool is_folded = line.starts_with(' ') || line.starts_with('\t');
  const auto colon = line.find(':');
  if (is_folded && is_kept_) {
    is_cut_ = is_cut_ || was_cut;
    return keep(line);
  }
  if (is_folded) return;
  end_field();
  if (colon == std::string::npos) {  // the empty line, or one that no header holds
    is_over_ = true;
    return;
  }
  name_ = trimmed(std::string_view(line).substr(0, colon));
  is_kept_ = std::any_of(names_.begin(), names_.end(), [&](const auto& name) {
    return equals_ignoring_case(name, name_);
  });
  is_cut_ = is_cut_ || (is_kept_ && was_cut);
  if (is_kept_) keep(std::string_view(line).substr(colon + 1));
}

void HeaderFields::keep(std::string_view text) {
  const auto taken = text.substr(0, kMaxOctets - octets_);
  is_cut_ = is_cut_ || taken.size() < text.size();
  octets_ += taken.size();
  value_ += taken;
}

void HeaderFields::end_field() {
  // Fields may be empty, and a header of 512 KiB holds 100,000 of those.
  if (std::exchange(is_kept_, false)) {
    if (fields_.size() < kMaxFields) fields_.emplace_back(name_, trimmed(value_));
    else is_cut_ = true;
  }
  value_.clear();
}

bool HeaderFields::has(std::string_view name, std::string_view pattern) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const auto& field) {
    return equals_ignoring_case(field.first, name) && matches_glob(pattern, field.second);
  });
}

}  // namespace relay::policy

#include "relay/smtp/input.hpp"

#include <utility>

namespace relay::smtp {
namespace {

/// Octets that are kept allocated while a client says nothing. Of 10,000 idle connections each had kept 5 KiB.
constexpr std::size_t kKept = 1U << 10U;

}  // namespace

void Input::consume(std::size_t count) {
  position_ += count;
  if (position_ < octets_.size()) return;
  octets_.clear();
  position_ = 0;
}

std::optional<Line> Input::take_line(std::size_t cap) {
  const auto rest = pending();
  const auto end = rest.substr(0, cap).find('\n');
  if (end == std::string_view::npos) {
    if (rest.size() < cap) octets_.erase(0, std::exchange(position_, 0));
    return std::nullopt;
  }
  const bool has_cr = end > 0 && rest[end - 1] == '\r';
  std::optional<Line> line(
    std::in_place, std::string(rest.substr(0, has_cr ? end - 1 : end)),
    has_cr ? LineEnding::crlf : LineEnding::lf_or_crlf
  );
  consume(end + 1);
  return line;
}

bool Input::skip_line() {
  const auto rest = pending();
  const auto end = rest.find('\n');
  const bool is_found = end != std::string_view::npos;
  const auto count = is_found ? end + 1 : rest.size();
  skipped_ = is_found ? 0 : skipped_ + count;
  consume(count);
  return is_found;
}

void Input::shrink() {
  if (octets_.empty() && octets_.capacity() > kKept) std::string().swap(octets_);
}

}  // namespace relay::smtp

#pragma once
/// What the fuzz targets share: taking an input apart, and saying that a promise was broken.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "relay/base/text.hpp"

namespace relay::fuzz {

/// Ends the process when what a header promises does not hold: libFuzzer then keeps the input.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "a promise does not hold: %s\n", promise);
  std::abort();
}

/// An input, taken apart from its front. It and what it gives live as long as the octets.
class InputView {
 public:
  InputView(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}  // libFuzzer's octets are unsigned

  /// 0 at the end.
  [[nodiscard]] std::uint8_t octet() {
    const auto taken = take(1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken.front());
  }
  /// Up to the next LF, which is taken too.
  [[nodiscard]] std::string_view line() {
    const auto taken = take(rest_.find('\n'));
    (void)take(1);
    return taken;
  }
  /// An octet that says how many follow, and these.
  [[nodiscard]] std::string_view block() { return take(octet()); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view take(std::size_t count) {
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
};

/// Gives `text` to `feed` in pieces. Their sizes are the digits of `cuts` in turn (other octets stand for up to
/// 63); without any, one octet each.
template <class Feed>
void in_pieces(std::string_view text, std::string_view cuts, Feed feed) {
  for (std::size_t i = 0; !text.empty(); ++i) {
    const unsigned cut = cuts.empty() ? '1' : static_cast<std::uint8_t>(cuts[i % cuts.size()]);
    const auto piece = text.substr(0, std::max(1U, (cut - '0') % 64U));
    text.remove_prefix(piece.size());
    feed(piece);
  }
}

[[nodiscard]] inline bool is_all_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_printable(c); });
}

/// Lines end in CRLF, and no CR or LF stands anywhere else.
[[nodiscard]] inline bool has_only_crlf(std::string_view text) {
  char before = 0;
  for (const char c : text) {
    if ((before == '\r') != (c == '\n')) return false;
    before = c;
  }
  return before != '\r';
}

}  // namespace relay::fuzz

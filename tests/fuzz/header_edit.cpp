/// mail::HeaderEdit with mail::Mender, and mail::qualified. Input: a line of cuts, then content.

#include "relay/mail/header_edit.hpp"

#include "relay/mail/header_scan.hpp"
#include "relay/mail/mending.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::mail {
namespace {

using fuzz::require;

const Mending kAll{"x.test", "Thu, 1 Jan 1970 00:00:00 +0000", "<1@h>", "app@a.test"};

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\r') continue;
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

struct Mended {
  std::string content;
  std::uint64_t added = 0;
  friend bool operator==(const Mended&, const Mended&) = default;
};
Mended mend(const Mending& mending, std::string_view content, std::string_view cuts) {
  HeaderEdit edit;
  Mender mender(mending);
  Mended mended;
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { edit.feed(piece, mender, mended.content); });
  edit.finish(mender, mended.content);
  mended.added = mender.added();
  return mended;
}

std::string scanned(std::string_view content) {
  HeaderScan scan("h");
  std::string out;
  scan.feed(content, out);
  scan.finish(out);
  return out;
}

void check_edit(const std::string& content, std::string_view cuts) {
  require(mend({}, content, cuts).content == content, "what nobody changes passes as it is");
  const auto mended = mend(kAll, content, cuts);
  require(mended == mend(kAll, content, "~"), "the message is the same however it is cut");
  require(mended.content.size() >= content.size(), "nothing is lost");
  require(mended.content.size() - content.size() <= mended.added + 2, "what was added is counted");
  require(fuzz::has_only_crlf(mended.content), "line ends stay CRLF");
  require(
    scanned(mended.content) == mended.content || mended.content == content, "the header ends where it should"
  );
  const auto again = mend(kAll, scanned(mended.content), cuts);
  require(again.content == scanned(mended.content), "what is mended lacks nothing");
}

void check_addresses(std::string_view text) {
  const auto once = qualified(text, "x.test");
  require(
    once.size() >= text.size() && once.size() <= std::max(kMaxQualified, text.size()),
    "it grows within bounds"
  );
  require(
    once.size() == text.size() || qualified(once, "x.test") == once, "what is qualified stays as it is"
  );
}

}  // namespace
}  // namespace relay::mail

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();
  relay::mail::check_edit(relay::mail::with_crlf(input.rest()), cuts);
  relay::mail::check_addresses(input.rest());
  return 0;
}

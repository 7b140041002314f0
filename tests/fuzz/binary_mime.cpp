/// mail::BinaryMime. Input: a line of cuts, then content, which is converted as it is and as the body of a binary part.

#include "relay/mail/binary_mime.hpp"

#include <string>

#include "tests/fuzz/input.hpp"
#include "tests/support/binary_mime_reference.hpp"

namespace relay::mail {
namespace {

using fuzz::require;
using test::Converted;

Converted convert(std::string_view content, std::string_view cuts) {
  BinaryMime converter;
  Converted result;
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { converter.feed(piece, result.content); });
  converter.finish(result.content);
  if (converter.refusal()) {
    require(converter.refusal()->is_permanent(), "a refusal is for good");
    require(fuzz::is_all_printable(converter.refusal()->text), "a refusal is printable");
    return {{}, true};
  }
  result.met_bare_line_ending = converter.met_bare_line_ending();
  result.longest_line = converter.longest_line();
  return result;
}

void check_content(std::string_view content, std::string_view cuts) {
  const auto whole = test::convert(content, content.size() + 1);
  require(convert(content, cuts) == whole, "it comes out the same however it is cut");
  require(convert(content, "1") == whole, "it comes out the same octet by octet");
  require(test::BinaryMimeReference(content).convert() == whole, "it comes out as the rule says");
  if (whole.is_refused) return;
  require(fuzz::has_only_crlf(whole.content), "it has CRLF line ends only");
  require(whole.content.empty() || whole.content.ends_with("\r\n"), "its last line has an end");
  auto again = test::convert(whole.content, 64);
  require(!again.is_refused && !again.met_bare_line_ending, "what came out is taken again");
  require(again.content == whole.content, "what is made of lines stays as it is");
}

/// The octets of lines of base64; the process ends where a line is none.
std::string decoded(std::string_view lines) {
  std::string octets;
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    const auto part = parse_base64(line);
    require(part && !part->empty() && line.size() <= 76, "a line is base64 of at most 76 characters");
    require(line.size() == 76 || lines.empty(), "lines are full but the last one");
    octets += *part;
  }
  return octets;
}

void check_binary_part(std::string_view octets, std::string_view cuts) {
  const std::string boundary = "0-of-the-target-0";
  if (octets.find(boundary) != std::string_view::npos) return;
  const std::string begin = "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary +
                            "\r\nContent-Transfer-Encoding: ";
  const std::string end = "--" + boundary + "--\r\n";
  const auto result = convert(begin + "binary\r\n\r\n" + std::string(octets) + "\r\n" + end, cuts);
  const auto expected_begin = begin + "base64\r\n\r\n";
  require(!result.is_refused && !result.met_bare_line_ending, "any octets may be in a binary part");
  require(result.content.starts_with(expected_begin) && result.content.ends_with(end), "its part stays one");
  const auto lines =
    std::string_view(result.content)
      .substr(expected_begin.size(), result.content.size() - expected_begin.size() - end.size());
  require(decoded(lines) == octets, "its octets are those that came");
}

}  // namespace
}  // namespace relay::mail

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  fuzz::InputView input(data, size);
  const auto cuts = input.line();
  mail::check_content(input.rest(), cuts);
  mail::check_binary_part(input.rest(), cuts);
  return 0;
}

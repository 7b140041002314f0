/// smtp::DataDecoder and DotStuffer. Input: a line of cuts, then what follows DATA.

#include "relay/smtp/data_decoder.hpp"

#include <algorithm>

#include "tests/fuzz/input.hpp"
#include "tests/support/data_decoder_reference.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;
using test::DecodedData;

// Longer inputs are cut as they say alone: every split of them would be slow.
constexpr std::size_t kMaxSplit = 256;

class Decoding {
 public:
  explicit Decoding(LineEnding line_ending) : decoder_(line_ending) {}
  void feed(std::string_view piece) {
    if (decoder_.is_done()) return;
    decoded_.taken += decoder_.feed(piece, decoded_.content);
  }
  DecodedData finish() {
    decoded_.is_done = decoder_.is_done();
    decoded_.met_bare_line_ending = decoder_.met_bare_line_ending();
    decoded_.longest_line = decoder_.longest_line();
    return std::move(decoded_);
  }

 private:
  DataDecoder decoder_;
  DecodedData decoded_;
};

DecodedData decode(std::string_view octets, LineEnding line_ending) {
  Decoding decoding(line_ending);
  decoding.feed(octets);
  return decoding.finish();
}

/// How many octets there are up to the end of data, its line end included; npos when there is none.
std::size_t end_of_data(std::string_view octets, LineEnding line_ending) {
  // Data begins at the start of a line.
  const auto text = "\r\n" + std::string(octets);
  auto end = std::string::npos;
  for (const std::string_view dot_line : {"\r\n.\r\n", "\n.\n", "\n.\r\n"}) {
    if (line_ending == LineEnding::crlf && !dot_line.starts_with('\r')) continue;
    const auto at = text.find(dot_line);
    if (at != std::string::npos) end = std::min(end, at + dot_line.size() - 2);
  }
  return end;
}

/// In two segments, for each place where they may be cut.
void check_every_split(std::string_view octets, LineEnding line_ending, const DecodedData& expected) {
  for (std::size_t at = 1; at < octets.size(); ++at) {
    Decoding decoding(line_ending);
    decoding.feed(octets.substr(0, at));
    decoding.feed(octets.substr(at));
    require(decoding.finish() == expected, "content is what the rule says, in two segments too");
  }
}

/// What is sent on ends where it should and nowhere else.
void check_stuffing(std::string content, std::string_view cuts) {
  DotStuffer stuffer;
  std::string sent;
  fuzz::in_pieces(content, cuts, [&](std::string_view piece) { stuffer.feed(piece, sent); });
  sent += stuffer.terminator();
  if (!content.empty() && !content.ends_with("\r\n")) content += "\r\n";
  for (const auto line_ending : {LineEnding::crlf, LineEnding::lf_or_crlf}) {
    const auto received = decode(sent, line_ending);
    require(received.is_done && received.taken == sent.size(), "the end of data is the end of what is sent");
    require(received.content == content && !received.met_bare_line_ending, "what is sent arrives unchanged");
  }
}

void check(std::string_view octets, std::string_view cuts, LineEnding line_ending) {
  const auto expected = test::data_reference(octets, line_ending);
  require(fuzz::has_only_crlf(expected.content), "content has CRLF line ends only");
  const auto end = end_of_data(octets, line_ending);
  require(
    expected.is_done == (end != octets.npos), "the data ends where a line holds one dot, and only there"
  );
  if (expected.is_done) require(expected.taken == end, "nothing is taken behind the end of data");
  require(decode(octets, line_ending) == expected, "content and its end are what the rule says");
  Decoding decoding(line_ending);
  fuzz::in_pieces(octets, cuts, [&](std::string_view piece) { decoding.feed(piece); });
  require(decoding.finish() == expected, "content is the same however it is cut");
  if (octets.size() <= kMaxSplit) check_every_split(octets, line_ending, expected);
  check_stuffing(expected.content, cuts);
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using relay::smtp::LineEnding;
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();
  for (const auto line_ending : {LineEnding::crlf, LineEnding::lf_or_crlf})
    relay::smtp::check(input.rest(), cuts, line_ending);
  return 0;
}

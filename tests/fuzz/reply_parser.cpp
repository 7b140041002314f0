/// smtp::ReplyParser. Input: a line of cuts, then what a next hop sends.

#include "relay/smtp/reply_parser.hpp"

#include <algorithm>
#include <vector>

#include "tests/fuzz/input.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;

struct Heard {
  std::vector<Reply> replies;
  bool is_garbage = false;
  friend bool operator==(const Heard&, const Heard&) = default;
};

void drain(ReplyParser& parser, Heard& heard) {
  while (auto reply = parser.next()) heard.replies.push_back(std::move(*reply));
  heard.is_garbage = parser.is_garbage();
  require(
    parser.leftover().size() <= 200 && fuzz::is_all_printable(parser.leftover()), "a leftover is fit for logs"
  );
}

void check(const Reply& reply) {
  require(reply.code >= 200 && reply.code <= 599, "a code is from 200 to 599");
  require(reply.text.size() <= kMaxReplyText, "little is kept of a long reply");
  require(fuzz::is_all_printable(reply.to_line()), "a reply is fit for logs");
  require(
    !reply.status || reply.status->status_class == reply.code / 100, "a status does not contradict its code"
  );

  const auto wire = to_wire(reply);
  require(fuzz::has_only_crlf(wire), "what is sent on has whole lines");
  ReplyParser parser;
  parser.feed(wire);
  const auto again = parser.next();
  require(again && again->code == reply.code, "what is sent on is read as the same code");
  require(!reply.status || again->status == reply.status, "what is sent on is read as the same status");
  require(!parser.has_leftover() && !parser.is_garbage(), "what is sent on is one reply");
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::smtp;
  relay::fuzz::InputView input(data, size);
  const auto cuts = input.line();

  ReplyParser whole;
  Heard at_once;
  whole.feed(input.rest());
  drain(whole, at_once);
  for (const auto& reply : at_once.replies) check(reply);

  ReplyParser piecewise;
  Heard in_pieces;
  relay::fuzz::in_pieces(input.rest(), cuts, [&](std::string_view piece) {
    piecewise.feed(piece);
    drain(piecewise, in_pieces);
  });
  require(at_once == in_pieces, "replies are the same however they are cut");
  return 0;
}

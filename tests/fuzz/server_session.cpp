/// smtp::ServerSession. Input: an octet of choices (bit 0: a strict client, bit 1: bare line ends are rejected), a line
/// of cuts, then what the client sends.

#include "relay/smtp/server_session.hpp"

#include <string>

#include "tests/fuzz/input.hpp"
#include "tests/support/conversation.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;
using test::Conversation;

void check_replies(std::string_view said) {
  require(fuzz::has_only_crlf(said) && (said.empty() || said.ends_with("\r\n")), "replies are whole lines");
  while (!said.empty()) {
    const auto line = said.substr(0, said.find("\r\n"));
    said.remove_prefix(line.size() + 2);
    require(
      line.size() + 2 <= kMaxReplyLine && fuzz::is_all_printable(line), "a reply line is short and printable"
    );
    const auto code = parse_number(line.substr(0, 3));
    require(line.size() > 3 && code && *code >= 200 && *code <= 599, "a reply line begins with a code");
    require(line[3] == ' ' || line[3] == '-', "a code is followed by a space or hyphen");
  }
}

/// What is sent on is taken as it was, and as one message: nothing in it ends the data or changes once more.
void check_sent_on(const test::StoredMessage& message) {
  Conversation next_hop;
  next_hop.send("EHLO relay.example.org\r\nMAIL FROM:<a@example.org>");
  next_hop.send(message.envelope.smtputf8 ? " SMTPUTF8\r\n" : "\r\n");
  next_hop.send("RCPT TO:<b@example.net>\r\n");
  next_hop.send("DATA\r\n");
  DotStuffer stuffer;
  std::string octets;
  stuffer.feed(message.content, octets);
  next_hop.said();
  const auto answer = next_hop.send(octets.append(stuffer.terminator()));
  require(
    answer.starts_with("250 ") && answer.find('\n') + 1 == answer.size(), "what is sent on has one answer"
  );
  auto content = message.content;
  if (!content.empty() && !content.ends_with("\r\n")) content += "\r\n";
  require(
    next_hop.messages().size() == 1 && next_hop.messages().front().content == content,
    "content does not change"
  );
}

void check(const test::StoredMessage& message) {
  const auto& envelope = message.envelope;
  require(
    !envelope.recipients.empty() && envelope.recipients.size() <= ServerLimits{}.max_recipients,
    "it has recipients"
  );
  for (const auto& recipient : envelope.recipients) require(!recipient.is_null(), "a recipient is somebody");
  require(
    envelope.dsn.recipients.empty() || envelope.dsn.recipients.size() == envelope.recipients.size(),
    "DSN is for all recipients or for none"
  );
  require(fuzz::is_all_printable(envelope.origin.helo), "the name in EHLO is fit for Received");
  require(fuzz::has_only_crlf(message.content), "content has CRLF line ends only");
  require(envelope.size == message.content.size(), "the size is that of the content");
  check_sent_on(message);
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::smtp;
  fuzz::InputView input(data, size);
  const unsigned choices = input.octet();
  const auto cuts = input.line();
  ServerLimits limits;
  if ((choices & 2U) != 0) limits.bare_line_endings = BareLineEndings::reject;
  Conversation conversation((choices & 1U) != 0 ? test::foreign_client() : test::allowed_client(), limits);
  std::string said = conversation.said();
  fuzz::in_pieces(input.rest(), cuts, [&](std::string_view piece) { said += conversation.send(piece); });
  if (!conversation.is_closed()) said += conversation.event(server_event::Ended{});
  require(conversation.is_closed(), "a session ends with its client");
  require(!conversation.has_unfinished_message(), "what was begun is committed or discarded");
  check_replies(said);
  for (const auto& message : conversation.messages()) check(message);
  return 0;
}

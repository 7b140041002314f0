/// smtp::ServerSession. Input: an octet of choices (bit 0: a strict client, bit 1: bare line ends are rejected, bit 2: TLS
/// can be had, bit 3: it is needed, bit 6: handshakes fail, bit 7: AUTH is served, bit 5: over TLS alone), a line of cuts, then what the client sends, in the clear and in
/// TLS.

#include "relay/smtp/server_session.hpp"

#include <string>

#include "tests/fuzz/input.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/users.hpp"

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

/// Chunks carry what DATA does.
void check_chunked(const test::StoredMessage& message) {
  Conversation next_hop;
  next_hop.send("EHLO relay.example.org\r\nMAIL FROM:<a@example.org>");
  next_hop.send(message.envelope.smtputf8 ? " SMTPUTF8\r\n" : "\r\n");
  next_hop.send("RCPT TO:<b@example.net>\r\n");
  const auto half = message.content.size() / 2;
  next_hop.send("BDAT " + std::to_string(half) + "\r\n" + message.content.substr(0, half));
  next_hop.said();
  const auto rest = message.content.substr(half);
  const auto answer = next_hop.send("BDAT " + std::to_string(rest.size()) + " LAST\r\n" + rest);
  require(
    answer.starts_with("250 ") && answer.find('\n') + 1 == answer.size(), "a last chunk has one answer"
  );
  auto content = message.content;
  if (!content.empty() && !content.ends_with("\r\n")) content += "\r\n";
  require(
    next_hop.messages().size() == 1 && next_hop.messages().front().content == content,
    "content does not change in chunks"
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
  check_chunked(message);
}

void check_tls(const Conversation& conversation, const ServerLimits& limits) {
  require(conversation.handshakes() <= 1, "TLS begins once");
  require(limits.has_tls || conversation.handshakes() == 0, "TLS begins where there is some");
  require(
    !conversation.was_injected() || conversation.handshakes() == 0, "nothing follows STARTTLS in the clear"
  );
  if (!limits.needs_tls) return;
  for (const auto& message : conversation.messages())
    require(message.envelope.origin.tls.has_value(), "no mail in the clear where TLS is needed");
}

void check_auth(const Conversation& conversation, const ServerLimits& limits) {
  require(limits.has_auth || conversation.logins().empty(), "AUTH is tried where there is some");
  require(
    !limits.auth_needs_tls || conversation.handshakes() > 0 || conversation.logins().empty(),
    "no password in the clear where TLS is needed"
  );
  std::size_t failed = 0;
  for (const auto& login : conversation.logins()) {
    if (login.ends_with(" no")) ++failed;
    else require(login.ends_with(" user yes"), "nobody logs in who is no user");
  }
  require(failed <= limits.max_failed_logins, "guesses of a connection are few");
  for (const auto& message : conversation.messages()) {
    const auto& user = message.envelope.origin.user;
    require(
      user.empty() || (user == "user" && failed < conversation.logins().size()),
      "a message names who logged in"
    );
  }
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
  limits.has_tls = (choices & 4U) != 0;
  limits.needs_tls = (choices & 8U) != 0;
  limits.has_auth = (choices & 128U) != 0;
  limits.auth_needs_tls = (choices & 32U) != 0;
  Conversation conversation((choices & 1U) != 0 ? test::foreign_client() : test::allowed_client(), limits);
  if ((choices & 64U) != 0) conversation.tls.reset();
  static const auto kUsers = test::users();
  conversation.users = kUsers;
  std::string said = conversation.said();
  fuzz::in_pieces(input.rest(), cuts, [&](std::string_view piece) { said += conversation.send(piece); });
  if (!conversation.is_closed()) said += conversation.event(server_event::Ended{});
  require(conversation.is_closed(), "a session ends with its client");
  require(!conversation.has_unfinished_message(), "what was begun is committed or discarded");
  check_replies(said);
  check_tls(conversation, limits);
  check_auth(conversation, limits);
  for (const auto& message : conversation.messages()) check(message);
  return 0;
}

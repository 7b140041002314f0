/// smtp/command. Input: a command line without its line end.

#include <cstdint>
#include <string>

#include "relay/smtp/command.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;
using mail::Charset;

void check(const Reply& reply) {
  require(reply.is_permanent(), "what can't be read is refused for good");
  const auto wire = to_wire(reply);
  require(fuzz::has_only_crlf(wire) && wire.find('\n') + 1 == wire.size(), "a refusal is one line");
  require(wire.size() <= kMaxReplyLine, "a reply line has at most 512 octets");
}

void check(const mail::Address& address, Charset charset) {
  const auto text = address.to_text();
  require(mail::is_utf8_text(text), "an address is text");
  require(charset == Charset::utf8 || address.is_ascii(), "an address beyond ASCII needs SMTPUTF8");
  require(text.size() + 2 <= mail::kMaxPath, "a path has at most 256 octets");
  if (address.is_null()) return;
  const auto again = mail::Address::parse(text, charset);
  require(again && *again == address, "an address is read as it is written");
}

bool is_same(const MailArguments& a, const MailArguments& b) {
  return a.reverse_path == b.reverse_path && a.declared_size == b.declared_size && a.body == b.body &&
         a.is_binary == b.is_binary && a.charset == b.charset && a.ret == b.ret &&
         a.envelope_id == b.envelope_id && a.requires_tls == b.requires_tls;
}

std::string to_argument(const MailArguments& read) {
  auto text = "FROM:<" + read.reverse_path.to_text() + ">";
  if (read.declared_size) text += " SIZE=" + std::to_string(*read.declared_size);
  if (read.body == mail::Body::seven_bit) text += " BODY=7BIT";
  if (read.is_binary) text += " BODY=BINARYMIME";
  else if (read.body == mail::Body::eight_bit_mime) text += " BODY=8BITMIME";
  if (read.charset == Charset::utf8) text += " SMTPUTF8";
  if (read.requires_tls) text += " REQUIRETLS";
  if (read.ret != mail::Ret::unset) text += " RET=" + std::string(mail::to_text(read.ret));
  if (!read.envelope_id.empty()) text += " ENVID=" + read.envelope_id;
  return text;
}

std::string to_argument(const RcptArguments& read) {
  auto text = "TO:<" + read.recipient.to_text() + ">";
  if (!read.dsn.notify.is_unset()) text += " NOTIFY=" + mail::to_text(read.dsn.notify);
  if (!read.dsn.original_recipient.empty()) text += " ORCPT=" + read.dsn.original_recipient;
  return text;
}

void check_mail(std::string_view argument) {
  const auto strict = parse_mail(argument, Grammar::strict);
  const auto lenient = parse_mail(argument, Grammar::lenient);
  if (strict) require(lenient && is_same(*strict, *lenient), "what all may say, everybody may say");
  if (!strict) check(strict.error());
  if (!lenient) return check(lenient.error());
  check(lenient->reverse_path, lenient->charset);
  require(lenient->envelope_id.empty() || mail::is_envelope_id(lenient->envelope_id), "ENVID is valid");
  const auto again = parse_mail(to_argument(*lenient), Grammar::strict);
  require(again && is_same(*again, *lenient), "MAIL is read as it is written");
}

void check_rcpt(std::string_view argument, Charset charset) {
  const auto strict = parse_rcpt(argument, Grammar::strict, charset);
  const auto lenient = parse_rcpt(argument, Grammar::lenient, charset);
  if (strict)
    require(
      lenient && strict->recipient == lenient->recipient && strict->dsn == lenient->dsn,
      "what all may say, everybody may say"
    );
  if (!strict) check(strict.error());
  if (!lenient) return check(lenient.error());
  require(!lenient->recipient.is_null(), "a recipient is somebody");
  check(lenient->recipient, charset);
  const auto& original = lenient->dsn.original_recipient;
  require(original.empty() || mail::is_original_recipient(original, charset), "ORCPT is valid");
  const auto again = parse_rcpt(to_argument(*lenient), Grammar::strict, charset);
  require(
    again && again->recipient == lenient->recipient && again->dsn == lenient->dsn,
    "RCPT is read as it is written"
  );
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::smtp;
  const auto line = relay::fuzz::InputView(data, size).rest();
  if (line.find('\n') != line.npos) return -1;  // it would have ended there
  const auto command = parse_command(line);
  require(line.find(command.argument) != line.npos, "an argument is part of its line");
  check_mail(command.argument);
  check_rcpt(command.argument, Charset::ascii);
  check_rcpt(command.argument, Charset::utf8);
  return 0;
}

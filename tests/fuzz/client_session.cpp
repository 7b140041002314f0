/// smtp::ClientSession and sasl. Input: an octet of choices (0 to 4: how TLS is used, bit 3: credentials, bit 4: no
/// certificate verifies), a line of cuts, then what the next hop says. Without cuts it says a line at a time.

#include "relay/smtp/client_session.hpp"

#include <string>
#include <vector>

#include "tests/fuzz/input.hpp"
#include "tests/support/exchange.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;

constexpr std::string_view kPassword = "secret:word";
constexpr std::string_view kTls = "<TLS>";  // where Exchange played the handshake
constexpr std::size_t kMessages = 2;

HopPolicy policy(unsigned choices) {
  HopPolicy policy;
  policy.helo_name = "relay.example.org";
  policy.tls = static_cast<TlsMode>((choices & 7U) % 5U);
  policy.nonce = "fyko+d2lbbFgONRv9qkxdawL";
  if ((choices & 8U) != 0) policy.credentials = sasl::Credentials{"user", std::string(kPassword)};
  return policy;
}

OutgoingMessage message() {
  OutgoingMessage message;
  message.reverse_path = test::address("a@example.org");
  message.recipients = {test::address("b@example.net"), test::address("\"c d\"@example.net")};
  message.size = 100;
  message.dsn = {mail::Ret::headers, "QQ", {{}, {mail::Notify{.never = true}, "rfc822;c"}}};
  return message;
}

/// Of the forms in which a password goes out, those that did; with one of them it is known as it is.
std::vector<std::string> told_secrets(std::string_view said) {
  std::vector<std::string> told;
  for (const auto& form : {base64(kPassword), base64(std::string("\0user\0", 6) + std::string(kPassword))})
    if (said.find(form) != said.npos) told.push_back(form);
  if (!told.empty()) told.emplace_back(kPassword);
  return told;
}

void check_text(std::string_view text, const std::vector<std::string>& secrets) {
  require(fuzz::is_all_printable(text), "what is kept is fit for logs");
  for (const auto& secret : secrets)
    require(text.find(secret) == text.npos, "what quotes a password is not kept");
}

void check(const MessageOutcome& outcome, const std::vector<std::string>& secrets) {
  require(outcome.recipients.size() == message().recipients.size(), "every recipient has an outcome");
  for (const auto& [disposition, stage, reply, dsn_was_passed_on, is_of_this_host] : outcome.recipients) {
    check_text(reply.to_line(), secrets);
    require(disposition != Disposition::delivered || reply.is_positive(), "delivered is what was taken");
    require(
      disposition != Disposition::failed || reply.is_permanent(), "failed is what was refused for good"
    );
    // 2yz to DATA has no place there, and defers.
    const bool was_taken = reply.is_positive() && stage != Stage::data;
    require(disposition != Disposition::deferred || !was_taken, "deferred is what was not taken");
  }
}

void check(const HopFailure& failure, const std::vector<std::string>& secrets) {
  check_text(failure.error.context, secrets);
  if (failure.reply) check_text(failure.reply->to_line(), secrets);
}

void check_said(std::string said, const HopPolicy& policy) {
  const auto tls = said.find(kTls);
  const auto before_tls = std::string_view(said).substr(0, tls);
  if (policy.needs_tls() && policy.tls != TlsMode::implicit)
    require(before_tls.find("MAIL") == before_tls.npos, "no mail goes before TLS that is demanded");
  if (policy.tls != TlsMode::implicit)
    require(before_tls.find("AUTH") == before_tls.npos, "no password goes before TLS");
  if (tls != said.npos) said.erase(tls, kTls.size());
  require(said.find(kTls) == said.npos, "TLS begins once");
  require(fuzz::has_only_crlf(said), "what is sent has whole lines");
}

class Talk {
 public:
  explicit Talk(unsigned choices) : policy_(policy(choices)), exchange_(policy_) {
    exchange_.tls_is_verified = (choices & 16U) == 0;
    said_ = exchange_.open(policy_.tls == TlsMode::implicit);
  }

  void hear(std::string_view octets) {
    if (!exchange_.is_closed() && !exchange_.awaits_message()) said_ += exchange_.says(octets);
    while (!exchange_.is_closed() && exchange_.awaits_message()) {
      if (sent_ == kMessages) {
        said_ += exchange_.event(client_event::Quit{});
      } else {
        ++sent_;
        said_ += exchange_.send(message());
      }
    }
  }

  void check_end() {
    if (!exchange_.is_closed())
      said_ += exchange_.event(client_event::Lost{Error{Errc::connection_lost, Fate::transient, "reset"}});
    require(exchange_.is_closed(), "a session ends with its connection");
    require(exchange_.outcomes().size() == sent_, "every message has one outcome");
    const auto secrets = told_secrets(said_);
    for (const auto& outcome : exchange_.outcomes()) check(outcome, secrets);
    if (exchange_.failure()) check(*exchange_.failure(), secrets);
    check_said(said_, policy_);
  }

 private:
  HopPolicy policy_;
  test::Exchange exchange_;
  std::string said_;
  std::size_t sent_ = 0;
};

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  fuzz::InputView input(data, size);
  smtp::Talk talk(input.octet());
  const auto cuts = input.line();
  if (cuts.empty()) {
    while (!input.rest().empty()) talk.hear(std::string(input.line()) + '\n');
  } else {
    fuzz::in_pieces(input.rest(), cuts, [&](std::string_view piece) { talk.hear(piece); });
  }
  talk.check_end();
  return 0;
}

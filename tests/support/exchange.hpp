#pragma once
/// Plays the driver of a smtp::ClientSession: the test is the next hop.

#include <optional>
#include <string>
#include <vector>

#include "relay/smtp/client_session.hpp"
#include "relay/smtp/data_decoder.hpp"

namespace relay::test {

inline mail::Address address(std::string_view text) {
  return text.empty() ? mail::Address{} : *mail::Address::parse(text, mail::Charset::utf8);
}

class Exchange {
 public:
  explicit Exchange(smtp::HopPolicy policy) : session_(std::move(policy)) {}

  std::string content = "Subject: x\r\n\r\nbody\r\n";
  bool tls_is_verified = true;  // what the handshake will say

  std::string open(bool tls_is_active = false) {
    return play(smtp::client_event::Opened{tls_is_active, tls_is_active});
  }
  /// The next hop says this; returns what the session answers until it waits again.
  std::string says(std::string_view octets) { return play(smtp::client_event::Received{octets}); }
  std::string send(
    std::vector<std::string> recipients, std::string sender = "a@example.com",
    mail::Body body = mail::Body::undeclared
  ) {
    smtp::OutgoingMessage message{address(sender), {}, content.size(), body};
    for (const auto& recipient : recipients) message.recipients.push_back(address(recipient));
    return play(smtp::client_event::Message{std::move(message)});
  }
  std::string send(smtp::OutgoingMessage message) {
    return play(smtp::client_event::Message{std::move(message)});
  }
  std::string event(const smtp::ClientEvent& event) { return play(event); }
  /// What the next hop says while content flows, before the final dot, or while a connection is idle.
  void will_say_early(std::string octets) { early_ = std::move(octets); }

  [[nodiscard]] bool awaits_message() const { return awaits_message_; }
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] const std::optional<smtp::HopFailure>& failure() const { return failure_; }
  [[nodiscard]] const std::vector<smtp::MessageOutcome>& outcomes() const { return outcomes_; }
  /// `delivered deferred`, in the order of the recipients of the last message.
  [[nodiscard]] std::string dispositions() const {
    static constexpr const char* kNames[] = {"delivered", "deferred", "failed", "untried"};
    std::string text;
    for (const auto& recipient : outcomes_.back().recipients) {
      text += (text.empty() ? "" : " ") + std::string(kNames[static_cast<int>(recipient.disposition)]);
    }
    return text;
  }
  [[nodiscard]] milliseconds timeout() const { return timeout_; }
  /// Whether that is the rest of the time that was begun before.
  [[nodiscard]] bool goes_on() const { return goes_on_; }

 private:
  std::string play(smtp::ClientEvent event) {
    std::string output;
    awaits_message_ = false;
    while (auto answer = perform(session_.resume(event), output)) event = std::move(*answer);
    return output;
  }

  std::optional<smtp::ClientEvent> perform(smtp::ClientStep step, std::string& output) {
    namespace step_ = smtp::client_step;
    namespace event_ = smtp::client_event;
    if (const auto* read = std::get_if<step_::Read>(&step)) {
      timeout_ = read->timeout;
      goes_on_ = read->goes_on;
    } else if (const auto* write = std::get_if<step_::Write>(&step)) {
      output += write->octets;
      return event_::Written{};
    } else if (std::holds_alternative<step_::StartTls>(step)) {
      output += "<TLS>";
      if (std::get<step_::StartTls>(step).must_verify && !tls_is_verified) {
        return event_::Lost{Error{Errc::tls_failed, Fate::transient, "certificate verify failed"}};
      }
      return event_::TlsReady{tls_is_verified};
    } else if (std::holds_alternative<step_::AwaitMessage>(step)) {
      awaits_message_ = true;
    } else if (std::holds_alternative<step_::SendContent>(step)) {
      stuffer_ = {};
      stuffer_.feed(content, output);
      return event_::ContentSent{};
    } else if (std::holds_alternative<step_::Listen>(step)) {
      heard_ = std::exchange(early_, {});
      return event_::Received{heard_};
    } else if (std::holds_alternative<step_::EndContent>(step)) {
      output += stuffer_.terminator();
      return event_::Written{};
    } else if (auto* report = std::get_if<step_::Report>(&step)) {
      outcomes_.push_back(report->outcome);
      return event_::Reported{};
    } else {
      is_closed_ = true;
      failure_ = std::get<step_::Close>(step).failure;
    }
    return std::nullopt;
  }

  smtp::ClientSession session_;
  smtp::DotStuffer stuffer_;
  std::string early_;
  std::string heard_;
  bool awaits_message_ = false;
  bool is_closed_ = false;
  milliseconds timeout_{};
  bool goes_on_ = false;
  std::optional<smtp::HopFailure> failure_;
  std::vector<smtp::MessageOutcome> outcomes_;
};

}  // namespace relay::test

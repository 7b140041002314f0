#pragma once
/// Plays the driver of a smtp::ServerSession: no socket, no clock, and a sink that keeps what was committed.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "relay/mail/parties.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::test {

struct StoredMessage {
  mail::Envelope envelope;
  std::string content;
  std::optional<mail::Parties> named{};  ///< by the client, where a session says so
};

inline smtp::Client allowed_client() { return {*IpAddress::parse("10.1.40.70"), smtp::Grammar::lenient}; }
inline smtp::Client foreign_client() { return {*IpAddress::parse("203.0.113.9"), smtp::Grammar::strict}; }

class Conversation {
 public:
  explicit Conversation(smtp::Client client = allowed_client(), smtp::ServerLimits limits = {})
      : session_("node1.example", client, limits) {
    play(smtp::server_event::Opened{});
    if (client.grammar == smtp::Grammar::strict)
      play(smtp::server_event::TimedOut{});  // it waited for the greeting
  }
  explicit Conversation(smtp::ServerSession session) : session_(std::move(session)) {
    play(smtp::server_event::Opened{});
  }

  // What the world answers; set before it is asked.
  std::function<std::optional<mail::Reply>(const mail::Address&)> sender_verdict = [](const auto&) {
    return std::nullopt;
  };
  std::function<std::optional<mail::Reply>(const mail::Address&)> recipient_verdict = [](const auto&) {
    return std::nullopt;
  };
  mail::Mending mending{};  // of each message
  Result<void> storing{};
  std::optional<Error> commit_error;
  bool is_deaf = false;  // the peer reads nothing: writes fail
  std::optional<mail::TlsUse> tls =
    mail::TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"};  // nothing: handshakes fail
  std::optional<mail::Reply> auth_refusal;              // of AUTH, before anything is tried
  std::optional<mail::Reply> check_refusal;             // of each password: it can't be checked
  std::shared_ptr<const sasl::Users> users;             // set where limits.has_auth is
  std::string nonce = "3rfcNHYJY1ZVvWVs7j";

  /// Gives the session these octets and returns what it says until it wants more.
  std::string send(std::string_view octets, milliseconds waited = {}) {
    while (!octets.empty() && !is_closed()) {
      const auto piece = octets.substr(0, smtp::kReadSize);
      octets.remove_prefix(piece.size());
      play(smtp::server_event::Received{piece, waited});
    }
    return said();
  }
  /// Cut into pieces of `size` octets, each read on its own.
  std::string send_in_pieces(std::string_view octets, std::size_t size) {
    for (; !octets.empty() && !is_closed(); octets.remove_prefix(std::min(size, octets.size()))) {
      play(smtp::server_event::Received{octets.substr(0, size), {}});
    }
    return said();
  }
  std::string event(const smtp::ServerEvent& event) {
    play(event);
    return said();
  }
  /// EHLO, MAIL and one RCPT, all accepted.
  Conversation& begin_message() {
    send("EHLO app\r\n");
    send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n");
    said();
    return *this;
  }

  std::string said() { return std::exchange(output_, {}); }
  [[nodiscard]] bool is_closed() const { return !close_reason_.empty(); }
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }
  [[nodiscard]] const std::vector<StoredMessage>& messages() const { return messages_; }
  [[nodiscard]] milliseconds timeout() const { return timeout_; }
  [[nodiscard]] std::size_t largest_chunk() const { return largest_chunk_; }
  [[nodiscard]] bool has_unfinished_message() const { return is_begun_; }
  [[nodiscard]] const std::vector<std::string>& asked_recipients() const { return asked_recipients_; }
  /// Each AUTH that came to an end: `PLAIN user yes`.
  [[nodiscard]] const std::vector<std::string>& logins() const { return logins_; }
  [[nodiscard]] unsigned handshakes() const { return handshakes_; }
  [[nodiscard]] bool was_injected() const { return was_injected_; }
  smtp::ServerSession& session() { return session_; }

 private:
  void play(smtp::ServerEvent event) {
    while (auto answer = perform(session_.resume(event))) event = std::move(*answer);
  }

  /// What the driver answers at once; nothing for Read and Close.
  std::optional<smtp::ServerEvent> perform(smtp::ServerStep step) {
    namespace step_ = smtp::server_step;
    namespace event_ = smtp::server_event;
    if (const auto* read = std::get_if<step_::Read>(&step)) {
      timeout_ = read->timeout;
    } else if (const auto* write = std::get_if<step_::Write>(&step)) {
      if (is_deaf) return event_::WriteFailed{};
      output_ += write->octets;
      return event_::Written{};
    } else if (const auto* sender = std::get_if<step_::AskSender>(&step)) {
      return event_::Verdict{sender_verdict(sender->reverse_path), mending};
    } else if (const auto* recipient = std::get_if<step_::AskRecipient>(&step)) {
      asked_recipients_.push_back(recipient->recipient.to_text());
      return event_::Verdict{recipient_verdict(recipient->recipient)};
    } else if (auto* content = std::get_if<step_::Content>(&step)) {
      is_begun_ = true;
      largest_chunk_ = std::max(largest_chunk_, content->chunk.size());
      content_ += content->chunk;
      return event_::Stored{storing};
    } else if (auto* commit = std::get_if<step_::Commit>(&step)) {
      largest_chunk_ = std::max(largest_chunk_, commit->last_chunk.size());
      is_begun_ = false;
      const auto whole = std::exchange(content_, {}) + commit->last_chunk;
      if (commit_error) return event_::Committed{tl::unexpected(*commit_error)};
      messages_.push_back({commit->envelope, whole});
      return event_::Committed{QueueId{1, messages_.size()}};
    } else if (std::holds_alternative<step_::Discard>(step)) {
      is_begun_ = false;
      content_.clear();
      return event_::Discarded{};
    } else if (const auto* secure = std::get_if<step_::StartTls>(&step)) {
      timeout_ = secure->timeout;
      ++handshakes_;
      return event_::TlsStarted{tls};
    } else if (std::holds_alternative<step_::BeginAuth>(step)) {
      if (auth_refusal) return event_::AuthBegun{auth_refusal};
      return event_::AuthBegun{std::nullopt, users, nonce};
    } else if (const auto* password = std::get_if<step_::CheckPassword>(&step)) {
      if (check_refusal) return event_::PasswordChecked{false, check_refusal};
      return event_::PasswordChecked{users->check(password->user, password->password)};
    } else if (const auto* proof = std::get_if<step_::CheckProof>(&step)) {
      return event_::PasswordChecked{proof->is_right, check_refusal};
    } else if (const auto* login = std::get_if<step_::EndAuth>(&step)) {
      logins_.push_back(
        std::string(sasl::to_text(login->mechanism)) + " " + login->user + (login->is_right ? " yes" : " no")
      );
      return event_::AuthEnded{};
    } else {
      close_reason_ = std::get<step_::Close>(step).why;
      was_injected_ = std::get<step_::Close>(step).is_injection;
    }
    return std::nullopt;
  }

  smtp::ServerSession session_;
  std::string output_;
  std::string close_reason_;
  bool was_injected_ = false;
  unsigned handshakes_ = 0;
  std::string content_;
  bool is_begun_ = false;
  milliseconds timeout_{};
  std::size_t largest_chunk_ = 0;
  std::vector<StoredMessage> messages_;
  std::vector<std::string> asked_recipients_;
  std::vector<std::string> logins_;
};

}  // namespace relay::test

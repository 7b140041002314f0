#pragma once
/// The sending side of one SMTP connection (RFC 5321), as a machine: event in, step out. One connection
/// carries several messages, one after the other.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/base/units.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/sasl/mechanism.hpp"
#include "relay/smtp/reply_parser.hpp"

namespace relay::smtp {

/// Where an exchange stands; never goes backwards within a message.
enum class Stage : std::uint8_t {
  connect,
  banner,
  ehlo,
  helo,
  starttls,
  auth,
  mail,
  rcpt,
  data,
  content,
  data_end,
  rset,
  quit
};
/// What a log line says one was doing: `sending end of data -- message may be sent more than once`.
[[nodiscard]] std::string_view doing(Stage stage);

enum class TlsMode : std::uint8_t {
  none,           ///< never, unless there are credentials: those imply `required`
  opportunistic,  ///< STARTTLS when offered, certificate not checked
  encrypted,  ///< STARTTLS, certificate not checked: TLSA records that prove nothing (RFC 7672 section 2.2)
  required,   ///< STARTTLS, certificate and name checked
  implicit,   ///< TLS from the first octet (RFC 8314), checked as above
};

/// RFC 5321 section 4.5.3.2.
struct ClientTimeouts {
  milliseconds banner = std::chrono::minutes{5};
  milliseconds command = std::chrono::minutes{5};  ///< EHLO, STARTTLS, AUTH, MAIL, RCPT
  milliseconds data_init = std::chrono::minutes{2};
  milliseconds data_block = std::chrono::minutes{3};
  milliseconds data_end = std::chrono::minutes{10};
};

struct HopPolicy {
  std::string helo_name;
  TlsMode tls = TlsMode::required;
  std::optional<sasl::Credentials> credentials;
  ClientTimeouts timeouts;
  std::string nonce = {};  ///< fresh for each connection, as sasl::choose() wants it; empty: no SCRAM
  /// That this host is one for the mail does not rest on DNS that nobody signed: the settings name it, or DNSSEC or
  /// MTA-STS proves it.
  bool is_proven = true;

  /// Nothing is sent, mail nor password, before a handshake.
  [[nodiscard]] bool needs_tls() const { return tls == TlsMode::encrypted || needs_verified_tls(); }
  /// ... and before it is verified.
  [[nodiscard]] bool needs_verified_tls() const {
    return tls == TlsMode::required || tls == TlsMode::implicit || credentials.has_value();
  }
};

/// One message for one next hop; `recipients` are those that this attempt is for.
struct OutgoingMessage {
  mail::Address reverse_path;
  std::vector<mail::Address> recipients;
  std::uint64_t size = 0;  ///< octets with our header, before dot-stuffing: what SIZE announces
  mail::Body body = mail::Body::undeclared;
  bool smtputf8 = false;   ///< goes only to a hop that offers SMTPUTF8 (RFC 6531)
  mail::DsnRequest dsn{};  ///< `recipients` as those above
  /// Goes only over verified TLS, to a hop that is proven and offers REQUIRETLS (RFC 8689 section 4.2.1).
  bool requires_tls = false;
};

enum class Disposition : std::uint8_t {
  delivered,  ///< 2yz to end of data
  deferred,   ///< judged, to be tried again
  failed,     ///< judged, for good
  untried,    ///< the hop or the connection failed before it judged: no attempt of this message
};

struct RecipientOutcome {
  Disposition disposition = Disposition::untried;
  Stage stage = Stage::mail;
  Reply reply;  ///< the peer's, or one of ours with the text of what happened
  /// The hop offers DSN and was told what the sender wants to hear: reports of success are its to make from now
  /// on (RFC 3461 section 5.2.1).
  bool dsn_was_passed_on = false;
  /// It failed for want of what another host of the destination may have: that one is asked before it is final.
  bool is_of_this_host = false;
};

struct MessageOutcome {
  std::vector<RecipientOutcome> recipients;  ///< as in OutgoingMessage
  bool may_be_duplicated = false;            ///< lost between our final dot and the answer
  std::optional<Error> unreadable;           ///< why our own store could not give the content: judges nobody
};

/// Why a connection to a next hop came to nothing. Judges the hop, never a message.
struct HopFailure {
  Stage stage = Stage::connect;
  Error error;
  std::optional<Reply> reply;        ///< the peer's, when it gave one
  bool credentials_refused = false;  ///< 5yz to AUTH, or 530, 534, 535, 538 anywhere
};

// clang-format off: one line each, its answer behind it
namespace client_step {
struct Read { milliseconds timeout; bool goes_on = false; };    ///< Received, TimedOut or Lost; goes_on: within the last Read's timeout
struct Write { std::string octets; milliseconds timeout; };     ///< Written, TimedOut or Lost
struct StartTls { bool must_verify; milliseconds timeout; };    ///< TlsReady, TimedOut or Lost
struct AwaitMessage {};                                         ///< Message or Quit
struct SendContent { milliseconds timeout; };                   ///< stuffed, without its end: ContentSent, TimedOut, Lost
struct Listen {};                                               ///< what can be read without waiting: Received (maybe nothing) or Lost
struct EndContent { milliseconds timeout; };                    ///< the stuffer's terminator: Written, TimedOut or Lost
struct Report { MessageOutcome outcome; };                      ///< Reported
struct Close { std::optional<HopFailure> failure; };            ///< none
}  // namespace client_step
// clang-format on
using ClientStep = std::variant<
  client_step::Read, client_step::Write, client_step::StartTls, client_step::AwaitMessage,
  client_step::SendContent, client_step::Listen, client_step::EndContent, client_step::Report,
  client_step::Close>;

// clang-format off: one line each
namespace client_event {
struct Opened { bool tls_is_active = false; bool tls_is_verified = false; };
struct Received { std::string_view octets; };  ///< the view is read during the call only
struct Written {};
struct TlsReady { bool is_verified = false; };
struct ContentSent {};
struct ContentUnreadable { Error error; };     ///< our own store could not give the content: nothing was ended
struct Message { OutgoingMessage message; };
struct Quit {};
struct Reported {};
struct TimedOut {};
struct Lost { Error error; };
}  // namespace client_event
// clang-format on
using ClientEvent = std::variant<
  client_event::Opened, client_event::Received, client_event::Written, client_event::TlsReady,
  client_event::ContentSent, client_event::ContentUnreadable, client_event::Message, client_event::Quit,
  client_event::Reported, client_event::TimedOut, client_event::Lost>;

/// At most this many commands are sent before their replies are read, so that both sides' socket buffers hold
/// a group (RFC 2920 section 3.1).
inline constexpr std::size_t kMaxGroup = 100;

/// Owns no socket, reads no clock, takes no lock. One thread at a time. After Close it must not be resumed.
///
/// What judges a message: replies to MAIL, RCPT, DATA and end of data, by their first digit (552 to RCPT
/// counts as 452, RFC 5321 section 4.5.3.1.10), and a connection lost between them. All else judges the hop.
/// A reply that cannot be the one to its command, or one too many, ends the connection, and what was judged by
/// those before it is not judged: no telling which of them answered what.
///
/// A timeout is that of a whole reply, however its octets drip in.
class ClientSession {
 public:
  explicit ClientSession(HopPolicy policy);
  [[nodiscard]] ClientStep resume(const ClientEvent& event);

 private:
  struct Extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool size = false;
    bool starttls = false;
    bool dsn = false;
    bool smtputf8 = false;
    bool requiretls = false;
    std::vector<std::string> auth;
  };
  struct Transfer {  // the message under way
    OutgoingMessage message;
    MessageOutcome outcome;
    std::vector<bool> is_accepted;  // 250 to RCPT
    // Commands are MAIL, RCPT for each recipient, DATA.
    std::size_t sent = 0;
    std::size_t answered = 0;
    bool is_judged = false;  // a reply to it was read
    bool mail_is_refused = false;
    bool wants_content = false;  // 354 was read
  };

  ClientStep on(const client_event::Opened& opened);
  ClientStep on(const client_event::Received& received);
  ClientStep on(const client_event::Written&);
  ClientStep on(const client_event::TlsReady& ready);
  ClientStep on(const client_event::ContentSent&);
  ClientStep on(const client_event::ContentUnreadable& failure);
  ClientStep on(const client_event::Message& next);
  ClientStep on(const client_event::Quit&);
  ClientStep on(const client_event::Reported&);
  ClientStep on(const client_event::TimedOut&);
  ClientStep on(const client_event::Lost& lost);

  std::optional<Reply> next_reply();
  ClientStep on_reply(const Reply& reply);
  ClientStep on_banner(const Reply& reply);
  ClientStep on_ehlo(const Reply& reply);
  ClientStep on_starttls(const Reply& reply);
  ClientStep on_auth(const Reply& reply);
  ClientStep on_transfer_reply(const Reply& reply);
  ClientStep on_end_of_data(const Reply& reply);

  ClientStep say(Stage stage, std::string line);
  ClientStep read_more();
  [[nodiscard]] std::string without_secrets(std::string text) const;
  ClientStep after_greeting();
  ClientStep authenticate();
  ClientStep idle();
  ClientStep send_group();
  ClientStep after_group();
  ClientStep begin_transfer();
  ClientStep early_reply();
  ClientStep content_stopped(const Error& error);
  ClientStep answered_out_of_step(const std::string& what);
  ClientStep answered_unasked();
  ClientStep finish_transfer();
  ClientStep hop_failed(Errc code, std::string what, std::optional<Reply> reply = std::nullopt);
  ClientStep connection_failed(const Error& error);
  void judge_undecided(Disposition disposition, Stage stage, const Reply& reply);
  void judge(std::size_t recipient, Stage stage, const Reply& reply);
  ClientStep refuse_message(const Reply& why);
  [[nodiscard]] std::optional<Reply> tls_obstacle() const;
  ClientStep refuse_at_this_host(const Reply& why);
  [[nodiscard]] std::size_t commands() const { return transfer_->message.recipients.size() + 2; }
  [[nodiscard]] Stage stage_of(std::size_t command) const;
  [[nodiscard]] std::string line_of(std::size_t command) const;
  [[nodiscard]] std::string mail_command() const;
  [[nodiscard]] std::string rcpt_command(std::size_t recipient) const;
  [[nodiscard]] bool is_transferring() const { return transfer_.has_value(); }
  [[nodiscard]] bool has_accepted() const;
  [[nodiscard]] milliseconds timeout() const;

  HopPolicy policy_;
  Stage stage_ = Stage::banner;
  ReplyParser parser_;
  Extensions extensions_;
  std::unique_ptr<sasl::Mechanism> mechanism_;
  std::vector<std::string> secrets_;  // what must not be logged when a peer quotes it
  bool tls_is_active_ = false;
  bool tls_is_verified_ = false;
  bool is_listening_ = false;             // the answer to Listen is awaited
  bool is_ending_ = false;                // that to EndContent
  std::optional<Error> content_failure_;  // why no more of the content can be sent
  bool is_within_reply_ = false;   // a Read for the reply that is awaited came back without the whole of it
  bool is_aborting_data_ = false;  // 354 without accepted recipients: a lone dot was sent
  bool needs_reset_ = false;       // the next message needs RSET first
  std::size_t transfers_ = 0;      // messages begun on this connection
  std::optional<Transfer> transfer_;
  std::optional<HopFailure> failure_;  // set: close once the outcome is reported
  bool is_closing_ = false;
};

}  // namespace relay::smtp

#pragma once
/// The receiving side of one SMTP connection (RFC 5321), as a machine: event in, step out.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/network.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/smtp/auth_dialogue.hpp"
#include "relay/smtp/command.hpp"
#include "relay/smtp/incoming_content.hpp"
#include "relay/smtp/input.hpp"
#include "relay/smtp/patience.hpp"
#include "relay/smtp/server_limits.hpp"
#include "relay/smtp/server_step.hpp"
#include "relay/smtp/transaction.hpp"

namespace relay::smtp {

inline constexpr std::size_t kMaxCommandLine = 2048;  ///< octets; RFC 5321 section 4.5.3.1.4 asks for 512
inline constexpr std::size_t kReadSize = 16U << 10U;  ///< the most that one Received should bring
/// For a handshake, or idle_timeout where that is less: it costs us more than a client that is idle.
inline constexpr milliseconds kHandshakeTimeout = std::chrono::minutes{1};

/// Who is at the other end, as the policy sees it when the connection opens.
struct Client {
  IpAddress address;
  Grammar grammar = Grammar::strict;  ///< lenient for clients in the allowed networks
  /// What a strict client that does not wait is told instead of 554, where that explains more: a client that
  /// would be an allowed one if the network did not hide it.
  std::optional<Reply> explanation = std::nullopt;
  std::string listener{mail::kMainListener};  ///< where it came in
  std::optional<mail::TlsUse> tls{};  ///< that a trusted load balancer has ended; counts as TLS with us
};

/// Owns no socket, reads no clock, takes no lock. One thread at a time. After Close it must not be resumed.
///
/// Replies are gathered and written when the session needs input or closes, so a pipelined group (RFC 2920)
/// costs one write. When a write fails the session goes on reading: a complete end of data is committed and
/// kept.
///
/// Content comes by DATA or in chunks by BDAT (CHUNKING, RFC 3030). A chunk is read to its end whatever its answer: when it
/// is refused, so is its transaction, and each chunk that was sent ahead gets 503. What is declared BINARYMIME (section 3)
/// comes in chunks alone, and goes on as the lines that mail::BinaryMime makes of it.
///
/// STARTTLS comes last in a group: what stands behind it in the clear may be a stranger's (CVE-2011-0411), is never
/// executed and ends the session. Behind a handshake all that the client said is forgotten (RFC 3207 section 4.2). With
/// `tls_first` the first step is the handshake, and all else is as behind STARTTLS.
///
/// AUTH (RFC 4954) changes nothing here but what an envelope says of its origin: what a client may do that has logged in
/// is the driver's to know.
class ServerSession {
 public:
  /// @param hostname  our name, valid as a domain; in greeting, EHLO reply and loop detection
  ServerSession(std::string hostname, Client client, ServerLimits limits);
  /// A session that greets with `refusal` (421 or 554) and closes; of the limits those of TLS count.
  ServerSession(std::string hostname, Reply refusal, ServerLimits limits = {});

  [[nodiscard]] ServerStep resume(const ServerEvent& event);

  /// What the client said in HELO or EHLO, printable; empty: nothing, since it shook hands at the latest.
  [[nodiscard]] const std::string& helo() const { return helo_; }
  /// Whether TLS is in use.
  [[nodiscard]] bool has_tls() const { return tls_.has_value(); }
  /// MAIL was taken, and neither its message nor RSET has ended it yet.
  [[nodiscard]] bool has_transaction() const { return transaction_.has_value(); }

  /// Replies of 400 and above so far, for metrics.
  [[nodiscard]] unsigned refusals() const { return refusals_; }

 private:
  enum class State : std::uint8_t {
    pregreet,
    command,
    authenticating,
    waiting,
    data,
    securing,
    dropping,
    closing
  };

  void apply(const server_event::Opened&);
  void apply(const server_event::Received& received);
  void apply(const server_event::Ended&);
  void apply(const server_event::TimedOut&);
  void apply(const server_event::Written&) {}
  void apply(const server_event::WriteFailed&) { is_deaf_ = true; }
  void apply(const server_event::Verdict& verdict);
  void apply(const server_event::Stored& stored);
  void apply(const server_event::Committed& committed);
  void apply(const server_event::Discarded&);
  void apply(const server_event::TlsStarted& started);
  void apply(const server_event::AuthBegun& begun);
  void apply(const server_event::PasswordChecked& checked);
  void apply(const server_event::AuthEnded&);
  void apply(const server_event::Failed&);
  void apply(const server_event::Stopping&);

  // ---- what an event leads to: server_session.cpp ----
  void greet();
  void time_out();
  ServerStep next();
  [[nodiscard]] ServerStep flush_or(ServerStep step);
  [[nodiscard]] bool reads_lines() const {
    return state_ == State::command || state_ == State::authenticating;
  }
  [[nodiscard]] bool may_end_in_lf() const;
  std::optional<ServerStep> read_command();
  void begin_long_line(std::size_t cap);
  bool skip_long_line();
  std::optional<ServerStep> execute(const Line& line);
  void refuse_line(std::string_view line, Verb verb, const std::string& why);
  bool is_out_of_place(Verb verb);
  std::optional<ServerStep> dispatch(const CommandView& command, LineEnding ending);
  void say(const Reply& answer);
  void refuse(const Reply& answer);
  void junk(const Reply& answer);
  void close_if_too_many_errors();
  void close(const Reply& answer, std::string_view why);
  void hang_up(std::string_view why);

  // ---- who the client is, and how it is protected: server_session_hello.cpp ----
  void hello(const CommandView& command);
  void start_tls(std::string_view argument);
  [[nodiscard]] bool is_in_the_clear() const { return limits_.needs_tls && !tls_; }
  [[nodiscard]] static Reply tls_first();
  void refuse_in_the_clear(Verb verb);

  // ---- AUTH: server_session_auth.cpp ----
  [[nodiscard]] bool offers_auth() const;
  std::optional<ServerStep> auth(std::string_view argument);
  std::optional<ServerStep> continue_auth(const Line& line);
  std::optional<ServerStep> take(AuthTurn turn);
  void cancel_auth(const Reply& answer);

  // ---- a transaction, from MAIL to the end of its content: server_session_mail.cpp ----
  std::optional<ServerStep> mail(std::string_view argument);
  [[nodiscard]] std::optional<Reply> refuse_mail() const;
  [[nodiscard]] std::optional<Reply> refuse_mail(const MailArguments& arguments) const;
  std::optional<ServerStep> rcpt(std::string_view argument);
  void data(std::string_view argument, LineEnding ending);
  void refuse_data(const Reply& refusal);
  void refuse_data_for_bdat();
  void bdat(std::string_view argument);
  [[nodiscard]] std::optional<Reply> refuse_bdat() const;
  void close_unread_chunk(const Reply& refusal);
  [[nodiscard]] Reply out_of_step() const;
  [[nodiscard]] std::string_view unqualified_domain() const;
  void begin_content(IncomingContent::Decoder decoder);
  std::optional<ServerStep> read_content();
  void end_chunk();
  std::optional<ServerStep> end_content();
  void end_transaction();
  void forget_transaction();

  std::string hostname_;
  Client client_;
  ServerLimits limits_;
  std::optional<Reply> greeting_refusal_;

  State state_ = State::pregreet;
  Input input_;
  std::string output_;
  Patience patience_;
  std::string_view close_reason_;
  std::string helo_;
  bool is_extended_ = false;
  std::optional<mail::TlsUse> tls_;  // in use
  bool is_tls_ours_ = false;         // not one that a load balancer has ended
  std::string user_;                 // who logged in; empty: nobody
  std::optional<AuthDialogue> auth_;
  AuthArguments auth_arguments_;            // of the AUTH that auth_ begins with
  std::optional<auth_turn::End> auth_end_;  // being noted
  std::optional<ServerStep> due_;           // what an event's answer led to
  unsigned failed_logins_ = 0;
  std::optional<Transaction> transaction_;
  std::optional<IncomingContent> content_;  // between 354, or its first chunk, and its final reply
  std::optional<RcptArguments> asked_recipient_;
  unsigned refusals_ = 0;
  bool is_greeting_due_ = false;  // behind the handshake
  bool is_first_line_ = true;
  bool is_deaf_ = false;             // writing failed: say nothing more, but read on
  bool talks_ahead_ = false;         // sends without waiting where nobody may
  bool content_may_follow_ = false;  // DATA was refused, and what comes may be content all the same
  bool is_stopping_ = false;
  bool is_injection_ = false;
};

}  // namespace relay::smtp

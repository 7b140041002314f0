#pragma once
/// The receiving side of one SMTP connection (RFC 5321), as a machine: event in, step out.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/base/queue_id.hpp"
#include "relay/base/units.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/mail/header_scan.hpp"
#include "relay/mail/mending.hpp"
#include "relay/smtp/auth_dialogue.hpp"
#include "relay/smtp/chunk_decoder.hpp"
#include "relay/smtp/command.hpp"
#include "relay/smtp/data_decoder.hpp"

namespace relay::smtp {

/// What the driver has to do next. Every step is answered by the event named behind it.
// clang-format off: one line each, its answer behind it
namespace server_step {
struct Read { milliseconds timeout; };                ///< Received, Ended, TimedOut or Stopping
struct Write { std::string octets; };                 ///< Written or WriteFailed
struct AskSender { mail::Address reverse_path; };     ///< Verdict
struct AskRecipient { mail::Address recipient; };     ///< Verdict
struct Content { std::string chunk; };                ///< Stored; the first one begins a message
struct Commit { mail::Envelope envelope; std::string last_chunk; };  ///< Committed; `received` is the sink's to write
struct Discard {};                                    ///< Discarded; forget the message that Content began
struct StartTls { milliseconds timeout; };            ///< TlsStarted; shake hands, the client was told to begin
struct BeginAuth { sasl::Name mechanism; };           ///< AuthBegun; may the client try, and who are the users?
struct CheckPassword { std::string user; std::string password; };    ///< PasswordChecked; slow
struct CheckProof { bool is_right; };                 ///< PasswordChecked; it was found, but may the client know?
struct EndAuth { sasl::Name mechanism; std::string user; bool is_right; bool acts_as_another = false; };  ///< AuthEnded; take note of it
struct Close { std::string_view why; bool is_injection = false; };  ///< none: flush, close, log; commands came behind STARTTLS
/// Why a session closes whose client did not wait for the greeting.
inline constexpr std::string_view kSpokeFirst = "spoke first";
}  // namespace server_step
// clang-format on
using ServerStep = std::variant<
  server_step::Read, server_step::Write, server_step::AskSender, server_step::AskRecipient,
  server_step::Content, server_step::Commit, server_step::Discard, server_step::StartTls,
  server_step::BeginAuth, server_step::CheckPassword, server_step::CheckProof, server_step::EndAuth,
  server_step::Close>;

// clang-format off: one line each
namespace server_event {
struct Opened {};
struct Received { std::string_view octets; milliseconds waited{}; };  ///< the view is read during the call only
struct Ended {};                                          ///< the client closed its side, or reset
struct TimedOut {};
struct Written {};
struct WriteFailed {};
struct Verdict { std::optional<Reply> refusal; mail::Mending mending{}; };  ///< 421 closes the session; of AskSender: how the message is mended
struct Stored { Result<void> result; };
struct Committed { Result<QueueId> result; std::optional<Reply> instead{}; };  ///< set: the message was not stored, and the client is told this
struct Discarded {};
struct TlsStarted { std::optional<mail::TlsUse> tls; };  ///< nothing: the handshake failed, nothing can be sent any more
struct AuthBegun {  ///< a refusal, or what sasl::make_server() needs
  std::optional<Reply> refusal;
  std::shared_ptr<const sasl::Users> users{};
  std::string nonce{};
};
struct PasswordChecked { bool is_right; std::optional<Reply> refusal{}; };  ///< set: it could not be checked, or nobody may know, which ends the exchange
struct AuthEnded {};
struct Failed {};  ///< something of ours threw: 421 4.3.0 and Close; may come in place of any answer
struct Stopping {};  ///< finish what is begun, begin nothing new; may come in place of any answer to Read, more than once
}  // namespace server_event
// clang-format on
using ServerEvent = std::variant<
  server_event::Opened, server_event::Received, server_event::Ended, server_event::TimedOut,
  server_event::Written, server_event::WriteFailed, server_event::Verdict, server_event::Stored,
  server_event::Committed, server_event::Discarded, server_event::TlsStarted, server_event::AuthBegun,
  server_event::PasswordChecked, server_event::AuthEnded, server_event::Failed, server_event::Stopping>;

enum class BareLineEndings : std::uint8_t {
  normalize,  ///< in content they become CRLF; for lenient clients they also end commands
  reject,     ///< 550 5.5.2 and close, for all
};

struct ServerLimits {
  Octets max_message_size{25ULL << 20U};
  std::size_t max_recipients = 1000;  ///< RFC 5321 section 4.5.3.1.8: at least 100
  unsigned max_errors = 20;           ///< since the last accepted message; one more ends the session
  unsigned max_junk = 100;            ///< EHLO, NOOP, RSET, VRFY, HELP; each one more is an error
  /// Until a line begins, and from there to its end (RFC 5321 section 4.5.3.2.7).
  milliseconds idle_timeout = std::chrono::minutes{5};
  /// Octets a second of content, after idle_timeout of credit; between its chunks time runs on.
  std::uint32_t min_data_rate = 500;
  BareLineEndings bare_line_endings = BareLineEndings::normalize;
  /// Goes behind addresses of MAIL and RCPT without one, of clients that may relay; empty: such an address gets 501.
  std::string unqualified_domain{};
  std::shared_ptr<const std::vector<std::string>> bulk_headers{};  ///< as HeaderScan watches for; null: none
  bool has_tls = false;                                            ///< STARTTLS can be served
  bool needs_tls = false;          ///< mail in the clear gets 530 5.7.0 (RFC 3207 section 4)
  bool tls_first = false;          ///< TLS comes before the greeting (RFC 8314 section 3.3)
  bool has_auth = false;           ///< there are users: AUTH can be served
  bool auth_needs_tls = true;      ///< AUTH in the clear gets 538 5.7.11 (RFC 4954 section 6)
  bool needs_auth = false;         ///< mail without a login gets 530 5.7.0 (RFC 4954 section 6)
  unsigned max_failed_logins = 3;  ///< the last of them ends the connection with 421
};

/// So many idle_timeout are waited for commands in all until a message is accepted: whole ones now and then hold no session.
inline constexpr int kFruitlessTimes = 12;
inline constexpr std::size_t kMaxCommandLine = 2048;  ///< octets; RFC 5321 section 4.5.3.1.4 asks for 512
inline constexpr std::size_t kMaxSkippedLine = 2U << 20U;  ///< of a line too long: then the connection closes
inline constexpr std::uint64_t kMaxContentLine = 1U << 20U;  ///< octets of one line of content
inline constexpr std::size_t kReadSize = 16U << 10U;         ///< the most that one Received should bring
/// For a handshake, or idle_timeout where that is less: it costs us more than a client that is idle.
inline constexpr milliseconds kHandshakeTimeout = std::chrono::minutes{1};
/// A session holds at most 64 KiB of a message: one read, what became of 4 KiB of it (doubled when all were
/// bare line ends), and this. Where it mends, one header field of addresses comes on top, mail::kMaxQualified at most; of
/// BINARYMIME what mail::BinaryMime holds.
inline constexpr std::size_t kChunkSize = 32U << 10U;
/// Octets of content that one turn of the decoder takes, so that what it gives stays bounded too.
inline constexpr std::size_t kSlice = 4U << 10U;

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
  struct Transaction {
    mail::Envelope envelope;
    mail::Charset charset = mail::Charset::ascii;  // as MAIL declared
    bool is_binary = false;                        // likewise, BINARYMIME: it comes by BDAT alone
    std::size_t refused_recipients = 0;
    mail::Mending mending;
  };
  struct Mended {  // content on its way through the mender
    mail::HeaderEdit edit;
    mail::Mender mender;
    std::string octets;
  };
  struct Incoming {  // a message between 354, or its first chunk, and its final reply
    DataDecoder decoder;
    mail::HeaderScan header;
    std::string decoded;                 // what the decoder gave, on its way to the scan
    std::string chunk;                   // what is not with the sink yet
    std::uint64_t size = 0;              // octets of content so far
    std::uint64_t taken = 0;             // octets read of it
    bool is_begun = false;               // the sink has some of it
    milliseconds credit;                 // time left at min_data_rate
    std::optional<Reply> refusal;        // set: swallow to the end of data or chunk, then say this
    std::optional<ChunkDecoder> chunks;  // it comes by BDAT; between chunks commands are read
    std::optional<Mended> mended{};      // set: the header is mended
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

  void greet();
  void time_out();
  ServerStep next();
  [[nodiscard]] ServerStep flush_or(ServerStep step);
  [[nodiscard]] milliseconds command_time() const;
  [[nodiscard]] std::string_view pending() const { return std::string_view(input_).substr(position_); }
  void consume(std::size_t count);

  [[nodiscard]] bool reads_lines() const {
    return state_ == State::command || state_ == State::authenticating;
  }
  [[nodiscard]] bool may_end_in_lf() const;
  std::optional<ServerStep> read_command();
  void refuse_long_line(std::size_t cap);
  bool skip_long_line();
  std::optional<ServerStep> execute(std::string_view line, LineEnding ending);
  void refuse_line(std::string_view line, Verb verb, const std::string& why);
  bool is_out_of_place(Verb verb);
  std::optional<ServerStep> dispatch(const CommandView& command, LineEnding ending);
  void hello(const CommandView& command);
  [[nodiscard]] const char* extensions_of_tls() const;
  void start_tls(std::string_view argument);
  void refuse_in_the_clear(Verb verb);

  // ---- AUTH: server_session_auth.cpp ----
  [[nodiscard]] bool offers_auth() const;
  std::optional<ServerStep> auth(std::string_view argument);
  std::optional<ServerStep> continue_auth(std::string_view line, LineEnding ending);
  std::optional<ServerStep> take(AuthTurn turn);
  void cancel_auth(const Reply& answer);

  std::optional<ServerStep> mail(std::string_view argument);
  std::optional<ServerStep> rcpt(std::string_view argument);
  void data(std::string_view argument, LineEnding ending);
  void refuse_data(Reply refusal);
  void refuse_data_for_bdat();
  void bdat(std::string_view argument);
  [[nodiscard]] std::optional<Reply> refuse_bdat() const;
  [[nodiscard]] static Reply tls_first();
  [[nodiscard]] Reply no_recipients() const;
  [[nodiscard]] Reply too_large() const;
  [[nodiscard]] std::uint64_t most_swallowed() const;
  [[nodiscard]] Reply out_of_step() const;
  void close_unread_chunk(const Reply& refusal);
  void junk(Reply answer);
  [[nodiscard]] std::string_view unqualified_domain() const;
  std::optional<ServerStep> read_content();
  void take_decoded();
  void finish_header();
  std::optional<ServerStep> check_content();
  std::optional<ServerStep> watch_limits(std::uint64_t longest_line);
  std::optional<ServerStep> end_content();
  std::optional<ServerStep> read_chunk();
  std::optional<ServerStep> check_chunk();
  std::optional<ServerStep> end_chunk();

  void say(const Reply& answer);
  void refuse(const Reply& answer);
  void close(const Reply& answer, std::string_view why);
  void hang_up(std::string_view why);
  void add_recipient(RcptArguments accepted);
  void begin_content(LineEnding ending);
  [[nodiscard]] milliseconds credit() const;
  void end_transaction();
  void forget_transaction();

  std::string hostname_;
  Client client_;
  ServerLimits limits_;
  std::optional<Reply> greeting_refusal_;

  State state_ = State::pregreet;
  std::string input_;
  std::size_t position_ = 0;  // of the first octet of input_ not consumed
  std::string output_;
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
  std::optional<Incoming> incoming_;
  std::optional<RcptArguments> asked_recipient_;
  std::size_t skipped_ = 0;    // octets of a too long line, 0 when none is being skipped
  milliseconds line_time_;     // left for the line that has begun; all of it when none has
  milliseconds fruitless_{0};  // waited for commands since the last accepted message
  unsigned errors_ = 0;
  unsigned junk_ = 0;
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

#pragma once
/// What a ServerSession and its driver say to each other: a step, and the event that answers it.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "relay/base/queue_id.hpp"
#include "relay/base/result.hpp"
#include "relay/base/units.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/mail/mending.hpp"
#include "relay/sasl/server.hpp"
#include "relay/smtp/reply.hpp"

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

}  // namespace relay::smtp

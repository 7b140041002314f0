#pragma once
/// What is said to a filter about one message, as a machine: event in, step out.

#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/base/units.hpp"
#include "relay/milter/header.hpp"
#include "relay/milter/wire.hpp"

namespace relay::milter {

/// A message, but for its body.
struct Message {
  std::string hostname;  ///< ours
  IpAddress client;
  std::string helo;
  std::string tls_version{};  ///< empty: in the clear
  std::string tls_cipher{};
  std::string user{};       ///< who logged in; empty: nobody
  std::string auth_type{};  ///< by which mechanism
  std::string queue_id{};
  std::string sender{};                   ///< without brackets; empty: the null sender
  std::vector<std::string> parameters{};  ///< of MAIL: `SIZE=1234`
  std::vector<std::string> recipients{};
  std::vector<Header::Field> header{};
};

struct Timeouts {
  milliseconds command = std::chrono::seconds{15};  ///< for each answer before the end of the message
  milliseconds message =
    std::chrono::minutes{1};  ///< for all of it; what a filter reports of its progress adds nothing
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// What a filter decides of a message.
struct Outcome {
  enum class Kind : std::uint8_t { accept, refuse, discard } kind = Kind::accept;
  mail::Reply reply{};             ///< of refuse
  std::vector<Edit> edits{};       ///< of accept, in order
  bool has_leading_space = false;  ///< of values in `edits`: see Header::apply()
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// clang-format off: one line each, its answer behind it
namespace step {
struct Read { milliseconds timeout; };   ///< Received
struct Write { std::string octets; };    ///< Written
struct ReadBody {};                      ///< Body
struct Done { Outcome outcome; };        ///< none: send kFarewell and close
struct Failed { Error error; };          ///< none: close
}  // namespace step
// clang-format on
using Step = std::variant<step::Read, step::Write, step::ReadBody, step::Done, step::Failed>;

// clang-format off: one line each
namespace event {
struct Opened {};                             ///< the connection is there
struct Received { std::string_view octets; }; ///< read during the call only
struct Written {};
struct Body { std::string octets; };          ///< the next piece; empty: that was all
}  // namespace event
// clang-format on
using Event = std::variant<event::Opened, event::Received, event::Written, event::Body>;

/// One message on one connection. All commands that a filter does not answer go out together with the next that it does.
/// A refusal of a recipient, too, is one of the message: see docs/decisions/0097. Timeouts and lost connections are the
/// driver's, who tells nobody here.
///
/// Owns no socket, reads no clock. One thread at a time. Behind Done and Failed it must not be resumed.
class Conversation {
 public:
  Conversation(Message message, Timeouts timeouts);
  [[nodiscard]] Step resume(const Event& event);

 private:
  enum class State : std::uint8_t { negotiating, telling, in_body, ending };
  struct Stage {
    Command command;
    std::string macros;  // that stand before it; empty: none
    std::string data;
    std::uint32_t left_out;  // by an option of these
    std::uint32_t silent;    // not answered with an option of these
  };

  void plan();
  [[nodiscard]] Step go_on();
  [[nodiscard]] Step tell_next();
  [[nodiscard]] Step tell_body();
  [[nodiscard]] Step end();
  [[nodiscard]] Step read();
  [[nodiscard]] Step hear(std::string_view octets);
  [[nodiscard]] std::optional<Step> take(const Packet& packet);
  [[nodiscard]] std::optional<Step> follow(Answer answer);
  [[nodiscard]] Step done(Outcome::Kind kind, mail::Reply reply = {});

  Message message_;
  Timeouts timeouts_;
  State state_ = State::negotiating;
  Options options_;  // until it has answered: as offered
  PacketReader reader_;
  std::deque<Stage> stages_;  // still to come
  std::string output_;        // gathered
  std::string body_;          // what is left of a piece
  bool awaits_ = false;       // an answer, once output_ is written
  bool skips_body_ = false;
  std::vector<Edit> edits_;
  std::size_t edit_octets_ = 0;
};

}  // namespace relay::milter

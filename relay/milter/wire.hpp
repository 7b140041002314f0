#pragma once
/// NAME      milter -- the milter protocol, version 6, our side: what a filter is told of a message, and what it says
/// USES      mail, base
/// INVARIANT pure: owns no socket, reads no clock; a packet's size is bounded before it is gathered; nothing of a filter's
///           answer becomes a line of its own in a header or a reply
/// FAILURES  protocol_error, transient: the filter broke the protocol, or wants what was not offered
/// LIMITS    kMaxPacket, kMaxBodyChunk, kMaxEdits
///
/// The protocol has no RFC: Sendmail's mfdef.h names the commands, the manual of libmilter says what they mean.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/base/result.hpp"
#include "relay/mail/reply.hpp"

namespace relay::milter {

inline constexpr std::uint32_t kVersion = 6;
/// Octets behind a packet's length: its command and data. As libmilter sends without negotiating more.
inline constexpr std::size_t kMaxPacket = 64U << 10U;
inline constexpr std::size_t kMaxBodyChunk = 65'535;

/// Changes of one message by one filter.
inline constexpr std::size_t kMaxEdits = 1000;

/// What a filter is told; the octet on the wire.
enum class Command : char {
  negotiate = 'O',
  macros = 'D',
  connect = 'C',
  helo = 'H',
  mail = 'M',
  rcpt = 'R',
  data = 'T',
  header = 'L',
  end_of_header = 'N',
  body = 'B',
  end_of_message = 'E',
  abort = 'A',
  quit = 'Q',
};

/// What a filter may do at the end of a message (SMFIF).
namespace action {
inline constexpr std::uint32_t kAddHeaders = 0x01;  ///< insert them too
inline constexpr std::uint32_t kAddRecipients = 0x04;
inline constexpr std::uint32_t kRemoveRecipients = 0x08;
inline constexpr std::uint32_t kChangeHeaders = 0x10;
inline constexpr std::uint32_t kQuarantine = 0x20;
inline constexpr std::uint32_t kChangeSender = 0x40;
/// Not among them: another body (0x02), parameters of recipients (0x80), macros of its choice (0x100).
inline constexpr std::uint32_t kOffered =
  kAddHeaders | kAddRecipients | kRemoveRecipients | kChangeHeaders | kQuarantine | kChangeSender;
}  // namespace action

/// What a filter does without (SMFIP_NO...), doesn't answer (SMFIP_NR_...), or knows besides.
namespace option {
inline constexpr std::uint32_t kNoConnect = 0x01;
inline constexpr std::uint32_t kNoHelo = 0x02;
inline constexpr std::uint32_t kNoMail = 0x04;
inline constexpr std::uint32_t kNoRcpt = 0x08;
inline constexpr std::uint32_t kNoBody = 0x10;
inline constexpr std::uint32_t kNoHeaders = 0x20;
inline constexpr std::uint32_t kNoEndOfHeader = 0x40;
inline constexpr std::uint32_t kSilentHeader = 0x80;
inline constexpr std::uint32_t kNoUnknown = 0x100;
inline constexpr std::uint32_t kNoData = 0x200;
inline constexpr std::uint32_t kMaySkip = 0x400;
inline constexpr std::uint32_t kRefusedRcpt = 0x800;  ///< wants them too; we have none by then
inline constexpr std::uint32_t kSilentConnect = 0x1000;
inline constexpr std::uint32_t kSilentHelo = 0x2000;
inline constexpr std::uint32_t kSilentMail = 0x4000;
inline constexpr std::uint32_t kSilentRcpt = 0x8000;
inline constexpr std::uint32_t kSilentData = 0x10000;
inline constexpr std::uint32_t kSilentUnknown = 0x20000;
inline constexpr std::uint32_t kSilentEndOfHeader = 0x40000;
inline constexpr std::uint32_t kSilentBody = 0x80000;
inline constexpr std::uint32_t kLeadingSpace = 0x100000;  ///< values of fields begin right behind the colon
inline constexpr std::uint32_t kOffered = 0x1FFFFF;
}  // namespace option

/// What both sides agreed on.
struct Options {
  std::uint32_t version = kVersion;
  std::uint32_t actions = action::kOffered;
  std::uint32_t options = option::kOffered;
  [[nodiscard]] bool has(std::uint32_t option) const { return (options & option) != 0; }
  friend bool operator==(const Options&, const Options&) = default;
};

struct Packet {
  char command = 0;
  std::string data;
  friend bool operator==(const Packet&, const Packet&) = default;
};

/// Finds packets in what comes in pieces of any size. Thread: one at a time. Complexity O(octets).
class PacketReader {
 public:
  void feed(std::string_view octets) { received_.append(octets); }
  /// The next packet, or nothing until more has come. Errors: protocol_error for a length of 0 or above kMaxPacket; there is
  /// no way on behind it.
  [[nodiscard]] Result<std::optional<Packet>> next();
  /// Nothing is left behind the last packet.
  [[nodiscard]] bool is_empty() const { return position_ == received_.size(); }

 private:
  std::string received_;
  std::size_t position_ = 0;
};

/// The octets of a packet. @param data  at most kMaxPacket less 1
[[nodiscard]] std::string to_wire(Command command, std::string_view data = {});
/// Texts of a packet's data, each behind the last with a NUL; a NUL within a text is left out.
[[nodiscard]] std::string texts(const std::vector<std::string_view>& all);
[[nodiscard]] std::string big_endian(std::uint32_t value);
[[nodiscard]] std::string to_data(const Options& options);

/// The answer to an offer of Options{}. Errors: protocol_error: no such answer, an older protocol than 2, or something that
/// was not offered.
[[nodiscard]] Result<Options> parse_options(const Packet& packet);

/// One change of a message.
struct Edit {
  enum class Kind : std::uint8_t {
    add_header,        ///< name, value: at the end
    insert_header,     ///< index (0: on top), name, value
    change_header,     ///< index (1: the first of this name), name, value; an empty value removes it
    add_recipient,     ///< value
    remove_recipient,  ///< value
    change_sender,     ///< value
    quarantine,        ///< value: the reason
  } kind = Kind::add_header;
  std::uint32_t index = 0;
  std::string name{};
  std::string value{};
  friend bool operator==(const Edit&, const Edit&) = default;
};

/// What a filter says to a command.
struct Answer {
  enum class Kind : std::uint8_t {
    go_on,
    accept,    ///< it wants to hear no more of this message
    refuse,    ///< `reply`
    discard,   ///< accept and throw away
    skip,      ///< no more of the body
    progress,  ///< it works on it
    edit,      ///< `edit`; another answer follows
  } kind = Kind::go_on;
  mail::Reply reply{};
  Edit edit{};
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// Errors: protocol_error: no answer, one without its parts, or a change that was not agreed on.
/// A reply of a filter's own becomes printable text; one of 421, which is about a connection, becomes 451.
[[nodiscard]] Result<Answer> parse_answer(const Packet& packet, const Options& options);

}  // namespace relay::milter

#pragma once
/// Values of the spool: framed, checksummed, and what is in them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/spool/keys.hpp"

namespace relay::spool {

/// `payload` as a record under this key: format, length, payload, checksum over all of it and where it
/// belongs.
[[nodiscard]] std::string seal(Family family, std::string_view key, std::string_view payload);
/// The payload of a record; the view lives as long as `value`. Errors: Errc::corrupt (permanent) when format,
/// length or checksum do not hold.
[[nodiscard]] Result<std::string_view> open_record(
  Family family, std::string_view key, std::string_view value
);

struct StoredEnvelope {
  mail::Envelope envelope;
  std::uint32_t chunks = 0;
  friend bool operator==(const StoredEnvelope&, const StoredEnvelope&) = default;
};

/// A message's place in the queue of a destination.
struct Waiting {
  WallTime arrival{};
  std::uint64_t size = 0;
  std::uint32_t attempts = 0;
  std::string last;  ///< what the last attempt was told
  WallTime at{};     ///< when its due time was chosen; the start of time, when an older relay chose it
  /// Recipients that this place is for, by index into the envelope; empty: all of them.
  std::vector<std::uint32_t> share;
  bool sender_was_warned = false;  ///< that it is late, or wants no word of it
  bool is_captured = false;        ///< of a place on hold: the mode of the relay keeps it in
  bool is_released = false;        ///< a person has let it out, whatever the mode
  friend bool operator==(const Waiting&, const Waiting&) = default;
};

/// How one recipient was settled.
struct Settled {
  bool is_delivered = false;
  std::string reply;
  std::string hop;
  WallTime at{};
  /// Nobody is left to be told: delivered, reported to the sender, or the sender wants to hear nothing.
  bool is_closed = false;
  friend bool operator==(const Settled&, const Settled&) = default;
};

/// A message that is kept because recipients failed.
struct Failed {
  WallTime arrival{};
  std::uint64_t size = 0;
  WallTime at{};
  std::uint32_t recipients = 0;
  friend bool operator==(const Failed&, const Failed&) = default;
};

// Payloads. Errors of the parsers: Errc::corrupt, permanent, for what does not hold together; unknown fields
// are ignored.
[[nodiscard]] std::string to_payload(const StoredEnvelope& stored);
[[nodiscard]] std::string to_payload(const Waiting& waiting);
[[nodiscard]] std::string to_payload(const Settled& settled);
[[nodiscard]] std::string to_payload(const Failed& failed);
[[nodiscard]] Result<StoredEnvelope> parse_envelope(std::string_view payload);
[[nodiscard]] Result<Waiting> parse_waiting(std::string_view payload);
[[nodiscard]] Result<Settled> parse_settled(std::string_view payload);
[[nodiscard]] Result<Failed> parse_failed(std::string_view payload);

}  // namespace relay::spool

#pragma once
/// A log's receptions, judged anew by other rules than those of their time.

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/ctl/rulebook.hpp"
#include "relay/mail/address.hpp"

namespace relay::ctl {

/// What a `reception` record tells that rules ask about; sender and recipients as the client named them, whatever rules of
/// that time put in their place.
struct Reception {
  std::string queue_id;
  IpAddress client;
  std::string user;  ///< that the client logged in as; empty: it did not
  std::string listener{mail::kMainListener};
  std::string helo;
  bool has_tls = false;
  mail::Address sender;
  std::vector<mail::Address> recipients;
  std::optional<std::uint64_t> size;  ///< octets of the content
};

/// Nothing for any other line, and for a record without client, sender or recipients. An address that is none is passed over.
[[nodiscard]] std::optional<Reception> read_reception(const std::string& line);

enum class Detail : std::uint8_t {
  deeds,  ///< a line for each recipient that something is done to, or that is refused; a limit alone is no such thing
  findings  ///< for each recipient each rule that was looked at
};

/// Writes what becomes of each recipient of the receptions in `log`, then how often each rule spoke, and how many wait for what
/// a log does not tell (the header). Blocks for `log`.
void replay(const Rulebook& book, Detail detail, std::istream& log, std::ostream& out);

}  // namespace relay::ctl

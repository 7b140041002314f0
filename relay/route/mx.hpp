#pragma once
/// Which hosts mail for a domain goes to, from what the DNS says of it (RFC 5321 section 5.1, RFC 7505).

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/mail/reply.hpp"

namespace relay::route {

/// The answer to a question for MX. A lookup that failed is no answer: such mail waits (4.4.3).
struct MxSet {
  enum class Status : std::uint8_t { found, no_data, no_such_domain };
  struct Record {
    std::uint16_t preference = 0;
    std::string host;  ///< any text; `.` is the null MX
  };
  Status status = Status::no_data;
  std::vector<Record> records;  ///< in any order; may be empty although `found`, when none could be read
};

struct MxHost {
  std::string name;              ///< lower case, no final dot; to be looked up as A and AAAA, absolute
  std::uint16_t preference = 0;  ///< lower is tried first
  friend bool operator==(const MxHost&, const MxHost&) = default;
};

/// Why a domain takes no mail from us, for good.
enum class MxRefusal : std::uint8_t {
  no_such_domain,    ///< NXDOMAIN
  null_mx,           ///< it says that it takes no mail (RFC 7505)
  loop,              ///< no host is better than ourselves
  no_usable_host,    ///< every MX is an address or no host name
  no_address,        ///< for the caller: no host has an address
  forbidden_target,  ///< for the caller: all addresses are inside, see targets.hpp
};
/// The reply that its recipients fail with. The domain is made printable.
[[nodiscard]] mail::Reply refusal_reply(MxRefusal refusal, std::string_view domain);

using MxHosts = tl::expected<std::vector<MxHost>, MxRefusal>;

/// The hosts to try in turn, at least one, each once; equal preferences in random order.
///
/// Without MX records the domain is its own host, with preference 0. A null MX beside other records is
/// ignored, and so is a host that is an address or no host name. When one of the hosts is ourselves it is left
/// out, and so are all that are not preferred to it: they would send the mail back to us.
/// @param domain     of the recipient; a host name, no address literal
/// @param own_names  ours, any case
[[nodiscard]] MxHosts mx_hosts(
  std::string_view domain, const MxSet& answer, const std::vector<std::string>& own_names, Jitter& jitter
);

}  // namespace relay::route

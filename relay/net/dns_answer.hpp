#pragma once
/// What the DNS said to a question, as values. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "relay/base/result.hpp"
#include "relay/net/dns_rdata.hpp"

namespace relay::net {

/// Records of one answer that are kept; the rest of a larger one is left out.
inline constexpr std::size_t kMaxRecords = 100;

enum class DnsStatus : std::uint8_t {
  found,           ///< there are records; `records` may be empty all the same, when none could be read
  no_data,         ///< the name exists, without records of this type
  no_such_domain,  ///< NXDOMAIN, of the name or of what its aliases lead to
};

template <class Record>
struct DnsRecords {
  DnsStatus status = DnsStatus::no_data;
  /// DNSSEC validated the whole of it: records or their absence, and every alias on the way.
  bool is_secure = false;
  /// Where the aliases (CNAME) of the name lead: lower case, no final dot. Empty: it is no alias.
  std::string canonical;
  std::vector<Record> records;
};

/// Record data, unread.
struct Rdata {
  std::string octets;
};

using DnsAnswer = DnsRecords<Rdata>;
using MxAnswer = DnsRecords<MxRecord>;
using AddressAnswer = DnsRecords<IpAddress>;
using TlsaAnswer = DnsRecords<TlsaRecord>;
/// Targets; at most one.
using AliasAnswer = DnsRecords<std::string>;
/// Each record's strings joined.
using TxtAnswer = DnsRecords<std::string>;

/// The kMaxRecords best by preference, best first; equals stay in the order of the answer.
[[nodiscard]] MxAnswer mx_answer(const DnsAnswer& answer);
[[nodiscard]] TlsaAnswer tlsa_answer(const DnsAnswer& answer);
[[nodiscard]] TxtAnswer txt_answer(const DnsAnswer& answer);
[[nodiscard]] AliasAnswer alias_answer(const DnsAnswer& answer);

/// What A and AAAA together say: IPv4 first, at most kMaxRecords of each.
///
/// Secure when all that was answered is. A family without an answer counts only when the other has no address
/// either: then its Error is returned, since the host may have one after all. It does not make what is secure
/// insecure (RFC 7672 section 2.1.2): else whoever can suppress one answer could switch DANE off.
[[nodiscard]] Result<AddressAnswer> address_answer(const Result<DnsAnswer>& v4, const Result<DnsAnswer>& v6);

}  // namespace relay::net

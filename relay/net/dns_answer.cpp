#include "relay/net/dns_answer.hpp"

#include <algorithm>

namespace relay::net {
namespace {

template <class Record>
DnsRecords<Record> read_records(
  const DnsAnswer& answer, std::optional<Record> (*parse)(std::string_view rdata)
) {
  DnsRecords<Record> read{answer.status, answer.is_secure, answer.canonical, {}};
  for (const auto& rdata : answer.records) {
    if (auto record = parse(rdata.octets)) read.records.push_back(std::move(*record));
  }
  return read;
}

template <class Record>
DnsRecords<Record> cut(DnsRecords<Record> answer) {
  if (answer.records.size() > kMaxRecords) answer.records.resize(kMaxRecords);
  return answer;
}

}  // namespace

MxAnswer mx_answer(const DnsAnswer& answer) {
  auto read = read_records(answer, &parse_mx);
  std::stable_sort(read.records.begin(), read.records.end(), [](const auto& a, const auto& b) {
    return a.preference < b.preference;
  });
  return cut(std::move(read));
}

TlsaAnswer tlsa_answer(const DnsAnswer& answer) { return cut(read_records(answer, &parse_tlsa)); }
TxtAnswer txt_answer(const DnsAnswer& answer) { return cut(read_records(answer, &parse_txt)); }
AliasAnswer alias_answer(const DnsAnswer& answer) { return cut(read_records(answer, &parse_name)); }

Result<AddressAnswer> address_answer(const Result<DnsAnswer>& v4, const Result<DnsAnswer>& v6) {
  AddressAnswer whole{DnsStatus::no_such_domain, true, {}, {}};
  if (v4) {
    whole = cut(read_records(*v4, &parse_a));
    if (!v6) return whole.records.empty() ? Result<AddressAnswer>(tl::make_unexpected(v6.error())) : whole;
  }
  if (!v6) return tl::make_unexpected(v6.error());
  const auto other = cut(read_records(*v6, &parse_aaaa));
  if (!v4 && other.records.empty()) return tl::make_unexpected(v4.error());
  // A zone that says NXDOMAIN for one type and not for the other is mistaken: the name exists.
  whole.status = std::min(whole.status, other.status);
  whole.is_secure = whole.is_secure && other.is_secure;
  if (whole.canonical.empty()) whole.canonical = other.canonical;
  whole.records.insert(whole.records.end(), other.records.begin(), other.records.end());
  return whole;
}

}  // namespace relay::net

/// net/dns_rdata and net/dns_answer. Input: an octet (bit 0: secure, bit 1: the address question failed for IPv4,
/// bit 2: for IPv6), then records as blocks.

#include <algorithm>

#include "relay/net/dns_answer.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::net {
namespace {

using fuzz::require;

/// Undoes parse_name.
std::string to_wire(std::string_view name) {
  std::string wire;
  if (name == ".") name = {};
  while (!name.empty()) {
    std::string label;
    for (; !name.empty() && name.front() != '.'; name.remove_prefix(1)) {
      if (name.front() != '\\') {
        label += name.front();
        continue;
      }
      const auto value = parse_number(name.substr(1, 3));
      require(name.size() >= 4 && value && *value <= 255, "a backslash stands before three digits");
      label += static_cast<char>(*value);
      name.remove_prefix(3);
    }
    require(!label.empty() && label.size() <= 63, "labels have 1 to 63 octets");
    wire += static_cast<char>(label.size()) + label;
    if (!name.empty()) name.remove_prefix(1);
  }
  return wire + '\0';
}

void check_name(std::string_view octets) {
  const auto name = parse_name(octets);
  if (!name) return;
  require(
    fuzz::is_all_printable(*name) && name->find(' ') == std::string::npos, "a name is one printable word"
  );
  require(*name == lower(*name), "a name is in lower case");
  require(to_wire(*name) == lower(octets), "a name says all of its octets");
}

void check_text(std::string_view octets) {
  const auto text = parse_txt(octets);
  require(!text || text->size() < octets.size(), "strings have less octets than their record");
}

void check_mx(const MxAnswer& answer) {
  require(answer.records.size() <= kMaxRecords, "no more than kMaxRecords are kept");
  require(
    std::is_sorted(
      answer.records.begin(), answer.records.end(),
      [](const auto& a, const auto& b) { return a.preference < b.preference; }
    ),
    "the best come first"
  );
  for (const auto& record : answer.records) require(!record.host.empty(), "an exchanger has a name");
}

template <class Record>
void check_count(const DnsRecords<Record>& read, const DnsAnswer& answer) {
  require(read.records.size() <= std::min(kMaxRecords, answer.records.size()), "no record is made up");
  require(read.is_secure == answer.is_secure && read.status == answer.status, "the answer's facts stay");
}

void check_addresses(const Result<DnsAnswer>& v4, const Result<DnsAnswer>& v6) {
  const auto both = address_answer(v4, v6);
  if (!both) {
    require(!v4 || !v6, "two answers are an answer");
    return;
  }
  require(v4 || v6, "two failures are one");
  const bool is_all_secure = (!v4 || v4->is_secure) && (!v6 || v6->is_secure);
  require(both->is_secure == is_all_secure, "secure is what both are");
  require((v4 && v6) || !both->records.empty(), "half an answer has addresses");
  require(both->records.size() <= 2 * kMaxRecords, "no more than kMaxRecords of each are kept");
}

}  // namespace
}  // namespace relay::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::net;
  fuzz::InputView input(data, size);
  const unsigned flags = input.octet();
  DnsAnswer answer{DnsStatus::found, (flags & 1U) != 0, {}, {}};
  while (!input.rest().empty()) answer.records.push_back({std::string(input.block())});
  for (const auto& record : answer.records) {
    check_name(record.octets);
    check_text(record.octets);
  }
  check_mx(mx_answer(answer));
  check_count(tlsa_answer(answer), answer);
  check_count(txt_answer(answer), answer);
  check_count(alias_answer(answer), answer);
  const Result<DnsAnswer> failed = transient(Errc::timed_out, "no answer");
  const Result<DnsAnswer> secure = DnsAnswer{DnsStatus::found, true, {}, answer.records};
  check_addresses((flags & 2U) != 0 ? failed : answer, (flags & 4U) != 0 ? failed : secure);
  return 0;
}

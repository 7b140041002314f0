/// smtp/proxy_header. Input: what a load balancer sends first.

#include "relay/smtp/proxy_header.hpp"

#include <algorithm>

#include "tests/fuzz/input.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;

constexpr std::size_t kV2FixedPart = 16;

bool is_undecided(const Result<std::optional<ProxyHeader>>& read) { return read && !*read; }

bool is_same(const Result<std::optional<ProxyHeader>>& a, const Result<std::optional<ProxyHeader>>& b) {
  if (!a || !b) return !a && !b;
  return *a && *b && (*a)->length == (*b)->length && (*a)->client == (*b)->client && (*a)->tls == (*b)->tls;
}

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::smtp;
  const auto received = relay::fuzz::InputView(data, size).rest();
  const auto whole = parse_proxy_header(received);
  if (whole && *whole) {
    const auto length = (*whole)->length;
    require(length <= received.size(), "a header ends in what was received");
    require(length <= std::max(kMaxProxyV1, kV2FixedPart + kMaxProxyV2), "a header has a limit");
  }
  if (is_undecided(whole))
    require(received.size() < kV2FixedPart + kMaxProxyV2, "a header is not waited for in vain");
  // Once some octets are enough, more of them change nothing.
  bool was_decided = false;
  for (std::size_t octets = 0; octets <= std::min<std::size_t>(received.size(), 300); ++octets) {
    const auto begun = parse_proxy_header(received.substr(0, octets));
    require(!was_decided || !is_undecided(begun), "a header stays one");
    was_decided = !is_undecided(begun);
    if (was_decided) require(is_same(begun, whole), "a header is the same however it is cut");
  }
  return 0;
}

#pragma once
/// What the relays of the nodes say of their clients' addresses.

#include <string>
#include <vector>

#include "operator/kube/object.hpp"
#include "relay/base/network.hpp"
#include "relay/base/result.hpp"

namespace op::smtp_relay {

/// What one pod says.
struct SourceReport {
  std::string node;
  std::string pod_uid;
  bool is_known = false;  ///< false: it has not answered, and the rest says nothing
  bool has_seen_own_addresses =
    false;  ///< a client came with an address of its own, since one was hidden last
  std::vector<relay::IpAddress> hidden{};  ///< behind these clients were refused within minutes, sorted
  friend bool operator==(const SourceReport&, const SourceReport&) = default;
};
using SourceReports = std::vector<SourceReport>;

/// Reads the relay's page /sources into `report`. Errors: protocol_error, permanent: it is none; `report` stays as it was.
[[nodiscard]] relay::Result<void> read_sources(const std::string& page, SourceReport& report);

}  // namespace op::smtp_relay

#pragma once
/// What the relays of the nodes say of their spools, and how that is told.

#include <cstdint>
#include <string>
#include <vector>

#include "operator/kube/object.hpp"
#include "relay/base/result.hpp"

namespace op::smtp_relay {

/// What one pod says of its node's spool.
struct SpoolReport {
  std::string node;
  std::string pod_uid;
  std::string unknown{};      ///< why nothing is known of it; empty: the rest is what the pod said
  std::uint64_t waiting = 0;  ///< messages that wait for delivery, those on hold too
  std::uint64_t failed = 0;   ///< dead letters: nobody could be told that they failed
  bool takes_mail = true;     ///< a session is open, or a new one would be taken
  /// Why it is not ready, in its words: printable, 300 octets at most; empty: it is, or does not say. Of a relay that has
  /// not opened its spool this is known, and the rest is not.
  std::string unready{};

  [[nodiscard]] bool is_known() const { return unknown.empty(); }
  /// Nothing waits, and nothing can come.
  [[nodiscard]] bool is_drained() const { return is_known() && waiting == 0 && !takes_mail; }
  friend bool operator==(const SpoolReport&, const SpoolReport&) = default;
};
using SpoolReports = std::vector<SpoolReport>;

/// About a pod, as summarize() left it, that has said nothing yet. @param unknown  why
[[nodiscard]] SpoolReport report_of(const kube::Json& pod, std::string unknown);

/// Reads the relay's page /node into `report`. Errors: protocol_error, permanent: it is none, or the spool is not open
/// yet; `report` stays as it was but for `unready`.
[[nodiscard]] relay::Result<void> read_page(const std::string& page, SpoolReport& report);

/// One for each node, by its name, where several pods stand for one: of those that are known the last in `reports`.
[[nodiscard]] SpoolReports by_node(const SpoolReports& reports);

/// `12 messages wait`, `at least 1 message waits and 2 dead letters are kept`, `it is not known how many messages
/// wait`.
[[nodiscard]] std::string total_of(const SpoolReports& reports);
/// `nodes node-1 (8), node-2 (unknown), node-3 (0) and 4 more`: those with most first, then those that are not known.
/// Of none `the nodes of its pods`.
[[nodiscard]] std::string nodes_of(const SpoolReports& reports);

}  // namespace op::smtp_relay

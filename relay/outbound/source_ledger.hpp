#pragma once
/// How much each source address has sent today, and which of them is next. Pure.

#include <map>
#include <string>

#include "relay/outbound/plan.hpp"

namespace relay::outbound {

/// Thread: one at a time.
class SourceLedger {
 public:
  /// A source of the pool that may still send on this day, by chance with their weights; null when all have sent
  /// what their warm-up allows. An unknown pool is the pool `default`.
  /// @param chance  in [0, 1)
  [[nodiscard]] const Source* choose(
    const std::vector<Source>& sources, const std::string& pool, std::chrono::sys_days today, double chance
  ) const;
  /// Counts one message; false when the source may send no more on this day.
  bool take(const Source& source, std::chrono::sys_days today);
  [[nodiscard]] bool may_send(const Source& source, std::chrono::sys_days today) const;

  /// `{"day": 20500, "sent": {"a": 12}}`, to outlive a restart.
  [[nodiscard]] std::string to_json() const;
  /// Anything else is as if nothing was sent.
  [[nodiscard]] static SourceLedger from_json(const std::string& text);

 private:
  [[nodiscard]] std::uint64_t sent(const std::string& name, std::chrono::sys_days today) const;

  std::chrono::sys_days day_{};
  std::map<std::string, std::uint64_t> sent_;
};

/// Whether choose() has any source to choose from, able or not.
[[nodiscard]] bool has_sources(const std::vector<Source>& sources, const std::string& pool);
/// Messages that a source may send on a day: nothing for as many as come.
[[nodiscard]] std::optional<std::uint64_t> allowance(const Source& source, std::chrono::sys_days today);

}  // namespace relay::outbound

#include "relay/outbound/source_ledger.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relay::outbound {
namespace {

constexpr std::string_view kDefaultPool = "default";

bool has_pool(const std::vector<Source>& sources, std::string_view pool) {
  return std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
    return source.pool == pool;
  });
}

}  // namespace

bool has_sources(const std::vector<Source>& sources, const std::string& pool) {
  return has_pool(sources, pool) || has_pool(sources, kDefaultPool);
}

std::optional<std::uint64_t> allowance(const Source& source, std::chrono::sys_days today) {
  if (source.messages_a_day.empty()) return std::nullopt;
  const auto day = (today - source.warm_up_from).count();
  if (day < 0) return 0;
  const auto index = static_cast<std::size_t>(day);
  if (index >= source.messages_a_day.size()) return std::nullopt;
  return source.messages_a_day[index];
}

std::uint64_t SourceLedger::sent(const std::string& name, std::chrono::sys_days today) const {
  if (day_ != today) return 0;
  const auto found = sent_.find(name);
  return found == sent_.end() ? 0 : found->second;
}

bool SourceLedger::may_send(const Source& source, std::chrono::sys_days today) const {
  const auto allowed = allowance(source, today);
  return !allowed || sent(source.name, today) < *allowed;
}

bool SourceLedger::take(const Source& source, std::chrono::sys_days today) {
  if (!may_send(source, today)) return false;
  if (day_ != today) {
    day_ = today;
    sent_.clear();
  }
  ++sent_[source.name];
  return true;
}

const Source* SourceLedger::choose(
  const std::vector<Source>& sources, const std::string& pool, std::chrono::sys_days today, double chance
) const {
  const auto wanted = has_pool(sources, pool) ? std::string_view(pool) : kDefaultPool;
  std::vector<const Source*> able;
  std::uint64_t sum = 0;
  for (const auto& source : sources) {
    if (source.pool != wanted || !may_send(source, today)) continue;
    able.push_back(&source);
    sum += source.weight;
  }
  if (able.empty()) return nullptr;
  auto at = static_cast<std::uint64_t>(chance * static_cast<double>(sum));
  for (const auto* source : able) {
    if (at < source->weight) return source;
    at -= source->weight;
  }
  return able.back();
}

std::string SourceLedger::to_json() const {
  return nlohmann::json{{"day", day_.time_since_epoch().count()}, {"sent", sent_}}.dump();
}

SourceLedger SourceLedger::from_json(const std::string& text) {
  SourceLedger ledger;
  const auto read = nlohmann::json::parse(text, nullptr, false);
  if (!read.is_object() || !read.contains("day") || !read["day"].is_number_integer()) return ledger;
  ledger.day_ = std::chrono::sys_days{std::chrono::days{read["day"].get<int>()}};
  if (!read.contains("sent") || !read["sent"].is_object()) return ledger;
  for (const auto& [name, count] : read["sent"].items()) {
    if (count.is_number_unsigned()) ledger.sent_[name] = count.get<std::uint64_t>();
  }
  return ledger;
}

}  // namespace relay::outbound

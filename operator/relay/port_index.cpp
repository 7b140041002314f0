#include "operator/relay/port_index.hpp"

#include <algorithm>

namespace op::smtp_relay {
namespace {

template <typename Value>
void keep_each_once(std::vector<Value>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::vector<std::int64_t> numbers_of(const Claim& claim) {
  std::vector<std::int64_t> numbers;
  for_each_stake(claim, [&](const Stake& stake) {
    for (const auto& port : stake.ports) numbers.push_back(port.number);
  });
  keep_each_once(numbers);
  return numbers;
}

}  // namespace

void PortIndex::add(const Claimants::value_type& entry) {
  const auto numbers = numbers_of(entry.second);
  for (const auto number : numbers) {
    by_number_[number].push_back(&entry);
    for (const auto other : numbers) ++together_[number][other];
  }
}

void PortIndex::remove(const Claimants::value_type& entry) {
  const auto numbers = numbers_of(entry.second);
  for (const auto number : numbers) {
    const auto there = by_number_.find(number);
    if (there == by_number_.end() || std::erase(there->second, &entry) == 0) return;  // it is not here
    if (there->second.empty()) by_number_.erase(there);
    auto& others = together_[number];
    for (const auto other : numbers) {
      if (--others[other] == 0) others.erase(other);
    }
    if (others.empty()) together_.erase(number);
  }
}

Contenders PortIndex::sharing(const Claim& claim) const {
  Contenders found;
  for (const auto number : numbers_of(claim)) {
    const auto there = by_number_.find(number);
    if (there != by_number_.end()) found.insert(found.end(), there->second.begin(), there->second.end());
  }
  keep_each_once(found);
  return found;
}

Contenders PortIndex::around(const Claim& claim) const {
  auto to_look_at = numbers_of(claim);
  std::set<std::int64_t> numbers(to_look_at.begin(), to_look_at.end());
  Contenders found;
  while (!to_look_at.empty()) {
    const auto number = to_look_at.back();
    to_look_at.pop_back();
    const auto there = by_number_.find(number);
    if (there == by_number_.end()) continue;
    found.insert(found.end(), there->second.begin(), there->second.end());
    for (const auto& [other, claims] : together_.at(number)) {
      if (numbers.insert(other).second) to_look_at.push_back(other);
    }
  }
  keep_each_once(found);
  return found;
}

}  // namespace op::smtp_relay

#include "relay/app/health_log.hpp"

#include <cctype>

namespace relay::app {
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// `9`, `1m5s`, `99.5`, `000012.log`: what may stand in a word that begins with a digit.
bool is_of_number(char c) { return c == '.' || std::isalnum(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::string kind_of(std::string_view reason) {
  std::string kind;
  for (std::size_t i = 0; i < reason.size(); ++i) {
    const bool begins_word = i == 0 || !is_of_number(reason[i - 1]);
    if (begins_word && is_digit(reason[i])) {
      kind += '#';
      while (i + 1 < reason.size() && is_of_number(reason[i + 1])) ++i;
    } else {
      kind += reason[i];
    }
  }
  return kind;
}

std::optional<log::Record> HealthLog::note(const std::optional<Complaint>& complaint, SteadyTime now) {
  if (!complaint) return tell_of_recovery(now);
  if (!ill_since_) ill_since_ = now;
  well_since_.reset();
  return tell(*complaint, now);
}

std::optional<log::Record> HealthLog::tell(const Complaint& complaint, SteadyTime now) {
  auto kind = kind_of(complaint.reason);
  const auto known = told_.find(kind);
  // The same words again say nothing new, unless another kind was told since.
  const bool is_said = known != told_.end() && kind == last_kind_ && known->second.reason == complaint.reason;
  if (is_said || (known != told_.end() && now - known->second.when < kWordsStand)) return std::nullopt;
  if (known == told_.end() && told_.size() >= kMostKinds) {
    std::erase_if(told_, [now](const auto& each) { return now - each.second.when >= kWordsStand; });
    if (told_.size() >= kMostKinds) return std::nullopt;
  }
  last_kind_ = kind;
  told_[std::move(kind)] = {complaint.reason, now};
  return log::warning("unhealthy").with("reason", complaint.reason).with("ready", complaint.is_ready);
}

std::optional<log::Record> HealthLog::tell_of_recovery(SteadyTime now) {
  if (!ill_since_) return std::nullopt;
  if (!well_since_) well_since_ = now;
  if (now - *well_since_ < kRelapse) return std::nullopt;
  const auto lasted = std::chrono::floor<seconds>(*well_since_ - *ill_since_);
  *this = {};
  return log::info("healthy").with("lasted", to_text(lasted));
}

}  // namespace relay::app

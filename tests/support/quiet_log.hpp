#pragma once
/// A log that keeps its records for the test to look at.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "relay/base/log.hpp"

namespace relay::test {

class QuietLog : public log::Sink {
 public:
  void write(const log::Record& record) override {
    const std::scoped_lock lock(mutex_);
    records_.push_back(record.fields());
    levels_[record.fields().at("event")].push_back(record.level());
  }
  /// Those with this `event`.
  std::vector<nlohmann::ordered_json> records(const std::string& event) const {
    const std::scoped_lock lock(mutex_);
    std::vector<nlohmann::ordered_json> found;
    for (const auto& record : records_) {
      if (record.at("event") == event) found.push_back(record);
    }
    return found;
  }
  /// Of those with this `event`, in their order.
  std::vector<log::Level> levels(const std::string& event) const {
    const std::scoped_lock lock(mutex_);
    const auto found = levels_.find(event);
    return found == levels_.end() ? std::vector<log::Level>{} : found->second;
  }
  /// All of it as text, to search for what must not be in it.
  std::string text() const {
    const std::scoped_lock lock(mutex_);
    std::string all;
    for (const auto& record : records_) all += record.dump() + "\n";
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<nlohmann::ordered_json> records_;
  std::map<std::string, std::vector<log::Level>> levels_;
};

}  // namespace relay::test

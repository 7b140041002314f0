#pragma once
/// A log that keeps its records for the test to look at.

#include <chrono>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <string>
#include <thread>
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
  /// The first of them, once there is one: most are written by another thread, behind what a test can see otherwise. Null, and
  /// the test fails, where none comes.
  nlohmann::ordered_json first(const std::string& event) const {
    constexpr std::chrono::seconds kWithin{20};
    const auto until = std::chrono::steady_clock::now() + kWithin;
    while (std::chrono::steady_clock::now() < until) {
      if (const auto found = records(event); !found.empty()) return found.front();
      std::this_thread::yield();
    }
    ADD_FAILURE() << "no record " << event << " within " << kWithin.count() << " s";
    return nullptr;
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

#pragma once
/// The log as the settings want it: from which level on, with addresses or without.

#include <atomic>
#include <memory>
#include <mutex>

#include "relay/app/files.hpp"
#include "relay/base/log.hpp"
#include "relay/redaction/tokens.hpp"

namespace relay::app {

/// Hands records on, from `log_level` on, redacted while `log_addresses` says so. Costs two loads of an atomic while it
/// does not.
///
/// Thread: write() any, follow() the control thread. Lifetime: `next` outlives it.
class RedactingSink : public log::Sink {
 public:
  explicit RedactingSink(log::Sink& next) : next_(next) {}

  void write(const log::Record& record) override;
  /// Puts `log_level`, `log_addresses` and the key of `log_redaction_key` in force. A key that can't be used is logged, and local
  /// parts are cut out.
  void follow(const config::Settings& settings, const Files& files);

 private:
  [[nodiscard]] std::shared_ptr<const redaction::Tokens> tokens() const;
  void use(const std::string& path, const std::string& key);

  log::Sink& next_;
  std::atomic<log::Level> lowest_{log::Level::info};
  std::atomic<bool> is_redacting_{false};
  std::string key_;  // what tokens_ was made from; the control thread's
  mutable std::mutex mutex_;
  std::shared_ptr<const redaction::Tokens> tokens_;  // under mutex_; null: no key
};

}  // namespace relay::app

#include "relay/app/redaction.hpp"

#include "relay/redaction/redact.hpp"

namespace relay::app {

void RedactingSink::write(const log::Record& record) {
  if (record.level() < lowest_.load(std::memory_order_relaxed)) return;
  if (!is_redacting_.load(std::memory_order_acquire)) return next_.write(record);
  next_.write(redaction::redact(record, tokens().get()));
}

void RedactingSink::follow(const config::Settings& settings, const Files& files) {
  const auto& key = text_of(files, settings.log_redaction_key);
  if (key != key_) use(settings.log_redaction_key, key);
  lowest_.store(settings.log_level, std::memory_order_relaxed);
  is_redacting_.store(settings.log_addresses == config::AddressLog::redacted, std::memory_order_release);
}

std::shared_ptr<const redaction::Tokens> RedactingSink::tokens() const {
  const std::scoped_lock lock(mutex_);
  return tokens_;
}

void RedactingSink::use(const std::string& path, const std::string& key) {
  key_ = key;
  std::shared_ptr<const redaction::Tokens> made;
  if (!key.empty()) {
    auto tokens = redaction::Tokens::make(key);
    if (tokens) made = std::move(*tokens);
    else
      next_.write(log::error("redaction_key")
                    .with("path", path)
                    .with("error", tokens.error().context)
                    .with("message", "local parts are cut out of the log, and nobody can reveal them"));
  }
  const std::scoped_lock lock(mutex_);
  tokens_ = std::move(made);
}

}  // namespace relay::app

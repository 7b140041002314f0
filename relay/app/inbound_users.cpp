#include "relay/app/inbound_users.hpp"

#include <openssl/rand.h>
#include <stdexcept>
#include <utility>

namespace relay::app {

InboundUsers::InboundUsers(log::Sink& log) : log_(log) {
  if (RAND_bytes(key_for_strangers_.data(), static_cast<int>(key_for_strangers_.size())) != 1)
    throw std::runtime_error("libcrypto has no randomness");
}

std::shared_ptr<const sasl::Users> InboundUsers::make(const config::Settings& settings, const Files& files) {
  const auto& path = settings.auth_users_file;
  if (path.empty()) {
    source_.clear();
    in_force_.reset();
    return nullptr;
  }
  const auto file = files.find(path);
  const bool is_there = file != files.end();
  auto source = is_there ? path + "\n" + file->second : path;
  if (source == source_) return in_force_;
  source_ = std::move(source);
  if (!is_there) return keep("the file is missing");
  auto made = sasl::Users::parse(file->second, key_for_strangers_);
  if (!made) return keep(made.error().context);
  in_force_ = std::move(*made);
  log_.write(log::info("users").with("path", path).with("users", in_force_->count()));
  return in_force_;
}

std::shared_ptr<const sasl::Users> InboundUsers::keep(const std::string& why) {
  log_.write(
    log::error("users")
      .with("path", source_.substr(0, source_.find('\n')))
      .with("error", why)
      .with("message", in_force_ ? "the users of before stay" : "nobody can log in yet: AUTH gets 454 4.7.0")
  );
  return in_force_;
}

}  // namespace relay::app

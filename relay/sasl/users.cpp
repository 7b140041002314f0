#include "relay/sasl/users.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::sasl {
namespace {

constexpr std::string_view kScheme = "SCRAM-SHA-256$";

/// What stands before `separator`, taken from `rest` with it; nothing when there is no separator.
std::optional<std::string_view> take(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const auto value = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return value;
}

std::optional<Digest> parse_digest(std::string_view text) {
  const auto octets = parse_base64(text);
  return octets ? to_digest(*octets) : std::nullopt;
}

tl::unexpected<std::string> wrong(std::string what) { return tl::unexpected(std::move(what)); }

tl::expected<ScramKeys, std::string> parse_keys(std::string_view text) {
  if (!text.starts_with(kScheme))
    return wrong("the name is not followed by SCRAM-SHA-256$: `relayctl user NAME` makes such a line");
  text.remove_prefix(kScheme.size());
  const auto iterations = take(text, ':');
  const auto salt = take(text, '$');
  const auto stored_key = take(text, ':');
  if (!iterations || !salt || !stored_key)
    return wrong("not of the form name:SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey");
  ScramKeys keys;
  const auto count = parse_number(*iterations);
  if (!count || *count < kMinIterations || *count > kMaxIterations)
    return wrong("the iteration count is not within 4096 to 600000");
  keys.iterations = *count;
  auto octets = parse_base64(*salt);
  if (!octets || octets->size() < kMinSalt || octets->size() > kMaxSalt)
    return wrong("the salt is not base64 of 8 to 64 octets");
  keys.salt = std::move(*octets);
  const auto stored = parse_digest(*stored_key);
  const auto server = parse_digest(text);
  if (!stored || !server) return wrong("StoredKey or ServerKey is not base64 of 32 octets");
  keys.stored_key = *stored;
  keys.server_key = *server;
  return keys;
}

}  // namespace

bool is_user_name(std::string_view name) {
  const auto is_bad = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f' || c == ':'; };
  return !name.empty() && name.size() <= kMaxUserName && trimmed(name) == name &&
         std::none_of(name.begin(), name.end(), is_bad);
}

Result<std::shared_ptr<const Users>> Users::parse(std::string_view text, const Digest& key_for_strangers) {
  auto users = std::make_shared<Users>();
  users->key_for_strangers_ = key_for_strangers;
  users->fingerprint_ = sha256(text);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (const auto added = users->add(trimmed(line)); !added)
      return permanent(Errc::invalid_argument, "line " + std::to_string(number) + ": " + added.error());
  }
  return users;
}

tl::expected<void, std::string> Users::add(std::string_view line) {
  if (line.starts_with(kStandIn)) {
    const auto key = parse_digest(trimmed(line.substr(kStandIn.size())));
    if (!key)
      return wrong("the stand-in key is not base64 of 32 octets: `relayctl user --stand-in` makes such a line"
      );
    if (std::exchange(has_key_, true)) return wrong("there is a stand-in key already");
    key_for_strangers_ = *key;
    return {};
  }
  if (line.empty() || line.starts_with('#')) return {};
  return add_user(line);
}

tl::expected<void, std::string> Users::add_user(std::string_view line) {
  const auto name = take(line, ':');
  if (!name) return wrong("no colon behind the user's name");
  if (!is_user_name(*name))
    return wrong("the user's name is empty, too long, or holds a control character or a blank at an end");
  auto keys = parse_keys(line);
  if (!keys) return wrong(std::move(keys.error()));
  if (users_.contains(*name)) return wrong("this user has a line already");
  if (users_.empty()) pattern_ = *keys;
  users_.emplace(std::string(*name), std::move(*keys));
  return {};
}

const ScramKeys* Users::find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : &found->second;
}

ScramKeys Users::keys_or_stand_in(std::string_view name) const {
  if (const auto* known = find(name)) return *known;
  // A key that a password leads to would do as badly as the user's own: who asks for a stranger's salt could test
  // passwords by it.
  const auto seed = hmac(key_for_strangers_, "stand-in for " + std::string(name));
  const auto salt = std::string(text_of(hmac(seed, "salt"))) + std::string(text_of(hmac(seed, "more salt")));
  return {
    pattern_.iterations, salt.substr(0, pattern_.salt.size()), hmac(seed, "Stored Key"),
    hmac(seed, "Server Key")
  };
}

bool Users::check(std::string_view name, std::string_view password) const {
  const bool fits = is_password_of(keys_or_stand_in(name), password);
  return fits && find(name) != nullptr;
}

}  // namespace relay::sasl

#include "relay/session/login.hpp"

#include <array>
#include <chrono>
#include <openssl/rand.h>

#include "relay/base/text.hpp"
#include "relay/session/records.hpp"

namespace relay::session {
namespace {

using metrics::Counter;

constexpr std::size_t kNonceOctets = 18;

/// Empty where there is no randomness.
std::string make_nonce() {
  std::array<unsigned char, kNonceOctets> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return {};
  return base64({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

Counter counter_of(sasl::Name mechanism, bool is_right) {
  switch (mechanism) {
    case sasl::Name::plain: return is_right ? Counter::logins_plain : Counter::logins_plain_failed;
    case sasl::Name::login: return is_right ? Counter::logins_login : Counter::logins_login_failed;
    case sasl::Name::scram_sha_256:
    case sasl::Name::xoauth2: break;  // that is for clients alone
  }
  return is_right ? Counter::logins_scram : Counter::logins_scram_failed;
}

mail::Reply not_now(std::string_view why = "Temporary authentication failure") {
  return smtp::reply(454, {4, 7, 0}, why);
}

/// Until a client gets a guess back, rounded up.
std::uint64_t seconds_a_guess(std::size_t limit) {
  const auto all = static_cast<std::uint64_t>(std::chrono::seconds(FailedLogins::kWindow).count());
  return (all + limit - 1) / limit;
}

}  // namespace

bool Login::is_one_client(const Rules& rules) const { return !policy::hides_clients(rules.access, client_); }

mail::Reply Login::refuse_guesses() {
  services_.counters.add(Counter::logins_refused);
  return not_now("Too many failed logins from " + client_.to_text() + ", try again later");
}

smtp::server_event::AuthBegun Login::begin() {
  const auto rules = source_.rules();
  failure_ = {};
  if (!rules->users) return {not_now()};
  const auto now = std::chrono::steady_clock::now();
  const auto limit = rules->max_failed_logins_per_client;
  if (is_one_client(*rules) && services_.failed_logins.are_too_many(client_, limit, now))
    return {refuse_guesses()};
  auto nonce = make_nonce();
  if (nonce.empty()) return {not_now()};
  users_ = rules->users;
  return {std::nullopt, users_, std::move(nonce)};
}

Login::Guess Login::begin_guess(const Rules& rules, FailedLogins::Mark mark) {
  const auto limit = rules.max_failed_logins_per_client;
  return services_.failed_logins.begin(client_, limit, mark, std::chrono::steady_clock::now());
}

/// A guess is taken before anybody knows what it is worth, known passwords included: who has none left learns nothing.
net::Awaitable<smtp::server_event::PasswordChecked> Login::check(std::string user, std::string password) {
  const auto rules = source_.rules();
  const auto mark = services_.passwords.mark_of_guess(*users_, user, password);
  smtp::server_event::PasswordChecked checked{false};
  const bool is_limited = is_one_client(*rules);
  auto guess = is_limited ? begin_guess(*rules, mark) : Guess();
  if (is_limited && !guess) {
    checked.refusal = refuse_guesses();
    co_return checked;
  }
  // Guesses from behind an address that hides clients have no limit (decision 0079): others keep half of the places.
  const auto most_waiting = PasswordChecks::kMaxWaiting / (is_limited ? 1 : 2);
  std::optional<bool> is_right = false;
  const bool is_known_wrong = guess && guess->is_known_wrong();
  if (!is_known_wrong)
    is_right = co_await services_.passwords.check(users_, std::move(user), std::move(password), most_waiting);
  checked.is_right = is_right.value_or(false);
  if (!is_right) {
    services_.counters.add(Counter::logins_unchecked);
    checked.refusal = not_now();
  } else if (!*is_right && guess) {
    failure_ = guess->fail(std::chrono::steady_clock::now());
  }
  co_return checked;
}

smtp::server_event::PasswordChecked Login::check_proof(bool is_right) {
  const auto rules = source_.rules();
  if (!is_one_client(*rules)) return {is_right};
  auto guess = begin_guess(*rules, std::nullopt);
  if (!guess) return {false, refuse_guesses()};
  if (!is_right) failure_ = guess->fail(std::chrono::steady_clock::now());
  return {is_right};
}

void Login::end(const smtp::server_step::EndAuth& login) {
  services_.counters.add(counter_of(login.mechanism, login.is_right));
  if (!login.is_right) return note_failure(login);
  user_ = login.user;
  if (const auto* keys = users_->find(user_)) keys_ = *keys;
  auto record = log::info("login")
                  .with("client", client_.to_text())
                  .with("user", user_)
                  .with("mechanism", sasl::to_text(login.mechanism));
  services_.log.write(at_listener(std::move(record), source_.rules()->listener));
}

/// A name that is no user's may be a password in the wrong place: it is not written down. A guess that was made before is not
/// recorded again: an application with an old password makes it as often as it has mail.
void Login::note_failure(const smtp::server_step::EndAuth& login) {
  if (!failure_.is_new) return;
  auto record = log::warning("login_failed")
                  .with("client", client_.to_text())
                  .with("mechanism", sasl::to_text(login.mechanism));
  const bool is_user = users_->find(login.user) != nullptr;
  if (is_user) record.with("user", login.user);
  if (login.acts_as_another) record.with("reason", "wants to act as another user");
  else record.with("reason", is_user ? "wrong password" : "no such user");
  services_.log.write(at_listener(std::move(record), source_.rules()->listener));
  if (!failure_.is_last) return;
  const auto limit = source_.rules()->max_failed_logins_per_client;
  auto refused =
    log::warning("logins_refused")
      .with("client", client_.to_text())
      .with("failed", limit)
      .with(
        "message", "AUTH gets 454 4.7.0; one more guess each " + std::to_string(seconds_a_guess(limit)) + " s"
      );
  services_.log.write(at_listener(std::move(refused), source_.rules()->listener));
}

std::optional<mail::Reply> Login::refuse_client(const Rules& rules) const {
  if (!user(rules).empty()) return std::nullopt;
  auto refusal = policy::refuse_client(rules.access, client_);
  if (!refusal && rules.needs_auth) refusal = smtp::reply(530, {5, 7, 0}, "Authentication required");
  else if (!refusal) return refusal;
  // A client logs in once in a connection, and to be told so for good would bounce its mail.
  if (!user_.empty())
    return smtp::reply(421, {4, 7, 0}, rules.hostname + " Login no longer valid, connect again");
  if (rules.users) {
    if (refusal->code == 530) return refusal;
    return smtp::reply(530, {5, 7, 0}, "Authentication required. " + refusal->text);
  }
  if (rules.wants_users) return smtp::reply(451, {4, 7, 0}, "Nobody can log in at present, try again later");
  return refusal;
}

std::string_view Login::user(const Rules& rules) const {
  if (user_.empty() || !rules.users) return {};
  const auto* keys = rules.users->find(user_);
  return keys != nullptr && *keys == keys_ ? std::string_view(user_) : std::string_view();
}

}  // namespace relay::session

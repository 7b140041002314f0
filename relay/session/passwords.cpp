#include "relay/session/passwords.hpp"

#include <cstring>
#include <openssl/rand.h>
#include <stdexcept>
#include <utility>

#include "relay/net/completion.hpp"

namespace relay::session {

namespace {

/// One among those that wait, as long as it lives.
class Place {
 public:
  explicit Place(std::atomic<std::size_t>& taken) : taken_(taken), number_(++taken) {}
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  /// From 1.
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::atomic<std::size_t>& taken_;
  std::size_t number_;
};

bool derive_keys(const sasl::Users& users, const std::string& user, const std::string& password) {
  return users.check(user, password);
}

}  // namespace

PasswordChecks::PasswordChecks(Derive derive)
    : derive_(derive ? std::move(derive) : Derive(derive_keys)), key_{}, key_of_guesses_{} {
  for (auto* key : {&key_, &key_of_guesses_}) {
    if (RAND_bytes(key->data(), static_cast<int>(key->size())) != 1)
      throw std::runtime_error("libcrypto has no randomness");
  }
}

net::Awaitable<std::optional<bool>> PasswordChecks::check(
  std::shared_ptr<const sasl::Users> users, std::string user, std::string password, std::size_t most_waiting
) {
  auto question =
    std::make_shared<const Question>(Question{std::move(users), std::move(user), std::move(password)});
  if (is_known(*question)) co_return true;
  const Place place(waiting_);
  if (place.number() > most_waiting) co_return std::nullopt;
  std::call_once(started_, [this] { thread_.start(); });
  using Answer = std::function<void(std::optional<bool>)>;
  std::function<void(Answer)> ask = [this, question](Answer answer) {
    net::asio::post(thread_.context(), [this, question, answer = std::move(answer)] {
      answer(try_to_find_out(*question));
    });
  };
  const auto is_right = co_await net::answered_by<std::optional<bool>>(std::move(ask));
  co_return is_right;
}

std::uint64_t PasswordChecks::mark_of_guess(
  const sasl::Users& users, std::string_view user, std::string_view password
) const {
  std::string guess(sasl::text_of(users.fingerprint()));
  guess.append(user).append(1, '\0').append(password);  // a name holds no NUL
  const auto digest = sasl::hmac(key_of_guesses_, guess);
  std::uint64_t mark = 0;
  std::memcpy(&mark, digest.data(), sizeof(mark));
  return mark;
}

sasl::Digest PasswordChecks::mark(const sasl::ScramKeys& keys, const std::string& password) const {
  return sasl::hmac(key_, std::string(sasl::text_of(keys.stored_key)) + password);
}

bool PasswordChecks::is_known(const Question& question) const {
  const auto* keys = question.users->find(question.user);
  if (keys == nullptr) return false;
  const auto asked = mark(*keys, question.password);
  const std::scoped_lock lock(mutex_);
  const auto known = known_.find(question.user);
  return known != known_.end() && sasl::are_equal(known->second, asked);
}

std::optional<bool> PasswordChecks::try_to_find_out(const Question& question) noexcept try {
  return find_out(question);
} catch (const std::exception&) {
  return std::nullopt;  // who waits is answered all the same, and the thread goes on
}

bool PasswordChecks::find_out(const Question& question) {
  if (is_known(question)) return true;  // it was found out meanwhile
  ++derived_;
  const bool is_right = derive_(*question.users, question.user, question.password);
  if (is_right) remember(question);
  return is_right;
}

void PasswordChecks::remember(const Question& question) {
  const auto right = mark(*question.users->find(question.user), question.password);
  const std::scoped_lock lock(mutex_);
  known_.insert_or_assign(question.user, right);
  if (known_.size() <= question.users->count()) return;
  std::erase_if(known_, [&](const auto& entry) { return question.users->find(entry.first) == nullptr; });
}

}  // namespace relay::session

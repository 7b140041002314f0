#include "relay/sasl/server.hpp"

#include <utility>

#include "relay/base/text.hpp"
#include "relay/sasl/scram.hpp"

namespace relay::sasl {
namespace {

using namespace server_step;

/// What a client may say it is called, or that its password is: nothing empty, nothing endless, no control character.
bool is_sayable(std::string_view text, std::size_t limit) {
  return !text.empty() && text.size() <= limit && prepare(text);
}

/// The part of a mechanism that ends in a password.
class WithPassword : public ServerMechanism {
 public:
  [[nodiscard]] ServerStep password_checked(bool is_right) override {
    if (!std::exchange(is_checking_, false)) return Malformed{};
    if (is_right) return Accepted{std::move(user_)};
    return Refused{std::move(user_)};
  }

 protected:
  ServerStep check(std::string_view user, std::string_view password) {
    if (!is_sayable(user, kMaxUserName) || !is_sayable(password, kMaxPassword)) return Malformed{};
    user_ = user;
    is_checking_ = true;
    return CheckPassword{user_, std::string(password)};
  }

 private:
  std::string user_;
  bool is_checking_ = false;
};

/// RFC 4616: authorization identity, user, password, with a NUL between them.
class Plain : public WithPassword {
 public:
  [[nodiscard]] Name name() const override { return Name::plain; }
  [[nodiscard]] ServerStep respond(std::string_view response) override {
    const auto first = response.find('\0');
    const auto second = first == std::string_view::npos ? first : response.find('\0', first + 1);
    if (std::exchange(was_heard_, true) || second == std::string_view::npos) return Malformed{};
    const auto acting_as = response.substr(0, first);
    const auto user = response.substr(first + 1, second - first - 1);
    // Nobody may act as somebody else: nothing is tried.
    if (!acting_as.empty() && acting_as != user) return Refused{std::string(user), true};
    return check(user, response.substr(second + 1));
  }

 private:
  bool was_heard_ = false;
};

/// draft-murchison-sasl-login: two prompts; an initial response is the user.
class Login : public WithPassword {
 public:
  [[nodiscard]] Name name() const override { return Name::login; }
  [[nodiscard]] std::string first_challenge() const override { return "Username:"; }
  [[nodiscard]] ServerStep respond(std::string_view response) override {
    switch (responses_++) {
      case 0:
        if (!is_sayable(response, kMaxUserName)) break;
        user_ = response;
        return Challenge{"Password:"};
      case 1:
        if (!user_.empty()) return check(user_, response);
        break;
      default: break;
    }
    user_.clear();
    return Malformed{};
  }

 private:
  std::string user_;
  unsigned responses_ = 0;
};

/// Octets of a client's nonce, so that our answer to it fits into one line of a reply.
constexpr std::size_t kMaxNonce = 128;

/// A name as it stands in a message (RFC 5802 section 5.1). Nothing when it is none.
std::optional<std::string> unescaped(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const char c = text.front();
    const auto escape = text.substr(0, 3);
    if (c == '=' && escape != "=2C" && escape != "=3D") return std::nullopt;
    if (c == '=') name += escape == "=2C" ? ',' : '=';
    else name += c;
    text.remove_prefix(c == '=' ? escape.size() : 1);
  }
  if (!is_sayable(name, kMaxUserName)) return std::nullopt;
  return name;
}

struct ClientFirst {
  std::string gs2_header;
  std::string bare;
  std::string acting_as;  // empty: as the user itself
  std::string user;
  std::string nonce;
};

/// RFC 5802 section 7. `p=` wants a channel binding and `m=` an extension, which are not ours; extensions that a client
/// can do without stand last.
std::optional<ClientFirst> parse_client_first(std::string_view message) {
  if (!message.starts_with("n,") && !message.starts_with("y,")) return std::nullopt;
  auto rest = message.substr(2);
  ClientFirst first;
  if (!rest.starts_with(',')) {
    auto name = rest.starts_with("a=") ? unescaped(rest.substr(2, rest.find(',') - 2)) : std::nullopt;
    if (!name) return std::nullopt;
    first.acting_as = std::move(*name);
  }
  const auto comma = rest.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(comma + 1);
  first.gs2_header = message.substr(0, message.size() - rest.size());
  first.bare = rest;
  const auto user = take_attribute(rest, 'n');
  const auto nonce = take_attribute(rest, 'r');
  auto name = user ? unescaped(*user) : std::nullopt;
  if (!name || !nonce || !is_nonce(*nonce) || nonce->size() > kMaxNonce) return std::nullopt;
  first.user = std::move(*name);
  first.nonce = *nonce;
  return first;
}

class ScramSha256 : public ServerMechanism {
 public:
  ScramSha256(std::shared_ptr<const Users> users, std::string_view nonce)
      : users_(std::move(users)), nonce_(nonce) {}

  [[nodiscard]] Name name() const override { return Name::scram_sha_256; }
  [[nodiscard]] ServerStep respond(std::string_view response) override {
    switch (std::exchange(state_, State::over)) {
      case State::greeted: return challenge(response);
      case State::proves: return verify(response);
      case State::waits: break;
      case State::concludes:  // our proof was the last challenge; there is nothing to say to it
        if (response.empty()) return Accepted{first_.user};
        break;
      case State::over: break;
    }
    return Malformed{};
  }
  [[nodiscard]] ServerStep password_checked(bool is_right) override {
    if (std::exchange(state_, State::over) != State::waits) return Malformed{};
    if (!is_right || !is_proven_) return Refused{first_.user};
    state_ = State::concludes;
    return Challenge{"v=" + base64(text_of(hmac(keys_.server_key, signed_text_)))};
  }

 private:
  enum class State : std::uint8_t { greeted, proves, waits, concludes, over };

  ServerStep challenge(std::string_view response) {
    auto first = parse_client_first(response);
    if (!first) return Malformed{};
    first_ = std::move(*first);
    // Nobody may act as somebody else: nothing is tried.
    if (!first_.acting_as.empty() && first_.acting_as != first_.user) return Refused{first_.user, true};
    keys_ = users_->keys_or_stand_in(first_.user);
    nonce_ = first_.nonce + nonce_;
    own_first_ = "r=" + nonce_ + ",s=" + base64(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
    state_ = State::proves;
    return Challenge{own_first_};
  }

  ServerStep verify(std::string_view response) {
    const auto end = response.rfind(",p=");
    if (end == std::string_view::npos) return Malformed{};
    const auto without_proof = response.substr(0, end);
    auto rest = response;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = take_attribute(rest, 'r');
    const auto octets = parse_base64(response.substr(end + 3));
    const auto proof = octets ? to_digest(*octets) : std::nullopt;
    if (!binding || !nonce || !proof) return Malformed{};
    const bool is_of_here = *binding == base64(first_.gs2_header) && *nonce == nonce_;
    signed_text_ = first_.bare + "," + own_first_ + "," + std::string(without_proof);
    const auto client_key = exclusive_or(*proof, hmac(keys_.stored_key, signed_text_));
    const bool fits = are_equal(sha256(text_of(client_key)), keys_.stored_key);
    is_proven_ = is_of_here && fits && users_->find(first_.user) != nullptr;
    state_ = State::waits;
    return CheckProof{is_proven_};
  }

  std::shared_ptr<const Users> users_;
  std::string nonce_;  // ours; behind the first challenge the client's and ours
  State state_ = State::greeted;
  ClientFirst first_;
  ScramKeys keys_;
  std::string own_first_;
  std::string signed_text_;  // by both proofs
  bool is_proven_ = false;
};

}  // namespace

std::unique_ptr<ServerMechanism> make_server(
  Name name, std::shared_ptr<const Users> users, std::string_view nonce
) {
  switch (name) {
    case Name::plain: return std::make_unique<Plain>();
    case Name::login: return std::make_unique<Login>();
    case Name::scram_sha_256: return std::make_unique<ScramSha256>(std::move(users), nonce);
    case Name::xoauth2: break;
  }
  return nullptr;
}

}  // namespace relay::sasl

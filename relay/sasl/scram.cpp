#include "relay/sasl/scram.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/sasl/scram_keys.hpp"

namespace relay::sasl {
namespace {

/// "No channel binding, and none is known of" (RFC 5802 section 7), and what the final message says of it: its base64.
constexpr std::string_view kGs2Header = "n,,";
constexpr std::string_view kChannelBinding = "c=biws";

/// A name as an attribute's value (RFC 5802 section 5.1): `=` and `,` mean something else.
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '=') out += "=3D";
    else if (c == ',') out += "=2C";
    else out += c;
  }
  return out;
}

struct ServerFirst {
  std::string nonce;  // ours, and the server's behind it
  std::string salt;
  std::uint64_t iterations = 0;
};

tl::unexpected<Error> broken(std::string_view what) {
  return transient(Errc::protocol_error, "AUTH SCRAM-SHA-256: " + std::string(what));
}

/// RFC 5802 section 7. A mandatory extension (`m=`) would stand first and is not ours; others stand last.
Result<ServerFirst> parse_server_first(std::string_view message, std::string_view own_nonce) {
  const auto nonce = take_attribute(message, 'r');
  const auto salt = take_attribute(message, 's');
  const auto iterations = take_attribute(message, 'i');
  if (!nonce || !salt || !iterations) return broken("the server's first message is not one");
  if (!is_nonce(*nonce) || !nonce->starts_with(own_nonce) || nonce->size() == own_nonce.size())
    return broken("the server's nonce does not begin with ours, or adds nothing to it");
  auto octets = parse_base64(*salt);
  if (!octets || octets->empty()) return broken("the server's salt is not base64");
  const auto count = parse_number(*iterations);
  if (!count || *count < kMinIterations || *count > kMaxIterations)
    return broken("the server's iteration count is not within 4096 to 600000");
  return ServerFirst{std::string(*nonce), std::move(*octets), *count};
}

class ScramSha256 : public Mechanism {
 public:
  ScramSha256(std::string_view user, std::string password, std::string_view nonce)
      : password_(std::move(password)), nonce_(nonce), first_bare_("n=" + escaped(user) + ",r=" + nonce_) {}

  [[nodiscard]] Name name() const override { return Name::scram_sha_256; }
  [[nodiscard]] std::string initial_response() override { return std::string(kGs2Header) + first_bare_; }

  [[nodiscard]] Result<std::string> respond(std::string_view challenge) override {
    switch (state_) {
      case State::greets:
        state_ = State::proves;
        if (challenge.empty()) return initial_response();  // a server that ignores initial responses
        return prove(challenge);
      case State::proves: return prove(challenge);
      case State::verifies: return verify(challenge);
      case State::done: return broken("the server asks for more than there is");
    }
    return broken("the server asks for more than there is");
  }

  [[nodiscard]] Result<void> conclude(std::string_view data) const override {
    if (is_verified_ || is_proof(data)) return {};
    return broken("the server said yes without proof that it knows the password");
  }

 private:
  enum class State : std::uint8_t { greets, proves, verifies, done };

  Result<std::string> prove(std::string_view challenge) {
    state_ = State::done;  // unless all is well
    const auto first = parse_server_first(challenge, nonce_);
    if (!first) return tl::unexpected(first.error());
    const auto without_proof = std::string(kChannelBinding) + ",r=" + first->nonce;
    const auto signed_text = first_bare_ + "," + std::string(challenge) + "," + without_proof;
    const auto key = salted(password_, first->salt, first->iterations);
    const auto client_key = hmac(key, "Client Key");
    const auto proof = exclusive_or(client_key, hmac(sha256(text_of(client_key)), signed_text));
    server_signature_ = hmac(hmac(key, "Server Key"), signed_text);
    state_ = State::verifies;
    return without_proof + ",p=" + base64(text_of(proof));
  }

  Result<std::string> verify(std::string_view challenge) {
    state_ = State::done;
    // The server says why it refuses; its real answer comes when this is answered.
    if (challenge.starts_with("e=")) return std::string{};
    is_verified_ = is_proof(challenge);
    if (!is_verified_) return broken("the server's proof that it knows the password is wrong");
    return std::string{};
  }

  [[nodiscard]] bool is_proof(std::string_view message) const {
    const auto value = take_attribute(message, 'v');
    const auto octets = value ? parse_base64(*value) : std::nullopt;
    const auto signature = octets ? to_digest(*octets) : std::nullopt;
    return server_signature_ && signature && are_equal(*signature, *server_signature_);
  }

  std::string password_;
  std::string nonce_;
  std::string first_bare_;
  State state_ = State::greets;
  std::optional<Digest> server_signature_;  // set once the client has proved itself
  bool is_verified_ = false;
};

}  // namespace

Result<std::string> prepare(std::string_view text) {
  const bool has_control =
    std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
  if (has_control) return transient(Errc::invalid_argument, "a user or password holds a control character");
  return std::string(text);
}

Result<std::unique_ptr<Mechanism>> make_scram_sha_256(
  const Credentials& credentials, std::string_view nonce
) {
  if (!is_nonce(nonce)) return transient(Errc::invalid_argument, "AUTH SCRAM-SHA-256: no usable nonce");
  auto user = prepare(credentials.user);
  if (!user) return tl::unexpected(std::move(user.error()));
  auto password = prepare(credentials.password);
  if (!password) return tl::unexpected(std::move(password.error()));
  return std::make_unique<ScramSha256>(*user, std::move(*password), nonce);
}

}  // namespace relay::sasl

#include "relay/sasl/mechanism.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::sasl {
namespace {

tl::unexpected<Error> no_answer(std::string_view mechanism) {
  return transient(
    Errc::protocol_error, "the server asks more than AUTH " + std::string(mechanism) + " can answer"
  );
}

/// RFC 4616: authorization identity (none), user, password, separated by NUL, all at once.
class Plain : public Mechanism {
 public:
  explicit Plain(Credentials credentials) : credentials_(std::move(credentials)) {}
  [[nodiscard]] std::string_view name() const override { return "PLAIN"; }
  [[nodiscard]] std::string initial_response() override {
    return std::string(1, '\0') + credentials_.user + std::string(1, '\0') + credentials_.password;
  }
  [[nodiscard]] Result<std::string> respond(std::string_view challenge) override {
    // A server that ignores initial responses sends one empty challenge.
    if (!challenge.empty() || was_asked_) return no_answer(name());
    was_asked_ = true;
    return initial_response();
  }

 private:
  Credentials credentials_;
  bool was_asked_ = false;
};

/// draft-murchison-sasl-login: two prompts whose text means nothing, the first for the user.
class Login : public Mechanism {
 public:
  explicit Login(Credentials credentials) : credentials_(std::move(credentials)) {}
  [[nodiscard]] std::string_view name() const override { return "LOGIN"; }
  [[nodiscard]] std::string initial_response() override { return {}; }
  [[nodiscard]] Result<std::string> respond(std::string_view) override {
    switch (prompts_++) {
      case 0: return credentials_.user;
      case 1: return credentials_.password;
      default: return no_answer(name());
    }
  }

 private:
  Credentials credentials_;
  int prompts_ = 0;
};

}  // namespace

std::unique_ptr<Mechanism> choose(const std::vector<std::string>& offered, const Credentials& credentials) {
  const auto has = [&](std::string_view name) {
    return std::any_of(offered.begin(), offered.end(), [&](const auto& word) {
      return equals_ignoring_case(word, name);
    });
  };
  if (has("PLAIN")) return std::make_unique<Plain>(credentials);
  if (has("LOGIN")) return std::make_unique<Login>(credentials);
  return nullptr;
}

}  // namespace relay::sasl

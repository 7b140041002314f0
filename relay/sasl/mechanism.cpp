#include "relay/sasl/mechanism.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"
#include "relay/sasl/scram.hpp"

namespace relay::sasl {
namespace {

/// What of the server's own words an error shows.
constexpr std::size_t kMaxOffered = 200;

tl::unexpected<Error> no_answer(Name mechanism) {
  return transient(
    Errc::protocol_error, "the server asks more than AUTH " + std::string(to_text(mechanism)) + " can answer"
  );
}

/// RFC 4616: authorization identity (none), user, password, separated by NUL, all at once.
class Plain : public Mechanism {
 public:
  explicit Plain(Credentials credentials) : credentials_(std::move(credentials)) {}
  [[nodiscard]] Name name() const override { return Name::plain; }
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
  [[nodiscard]] Name name() const override { return Name::login; }
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

/// A token instead of a password: `user=` and `auth=Bearer`, each ended by ^A, and one more ^A.
class Xoauth2 : public Mechanism {
 public:
  explicit Xoauth2(Credentials credentials) : credentials_(std::move(credentials)) {}
  [[nodiscard]] Name name() const override { return Name::xoauth2; }
  [[nodiscard]] std::string initial_response() override {
    return "user=" + credentials_.user + "\1auth=Bearer " + credentials_.password + "\1\1";
  }
  [[nodiscard]] Result<std::string> respond(std::string_view challenge) override {
    if (std::exchange(is_refused_, !challenge.empty())) return no_answer(name());
    // A challenge with something in it is the refusal, as JSON; its 535 comes when this is answered.
    if (is_refused_) return std::string{};
    if (std::exchange(was_asked_, true)) return no_answer(name());
    return initial_response();
  }

 private:
  Credentials credentials_;
  bool was_asked_ = false;
  bool is_refused_ = false;
};

using Made = Result<std::unique_ptr<Mechanism>>;

Made make_plain(const Credentials& credentials, std::string_view) {
  return std::make_unique<Plain>(credentials);
}
Made make_login(const Credentials& credentials, std::string_view) {
  return std::make_unique<Login>(credentials);
}
Made make_xoauth2(const Credentials& credentials, std::string_view) {
  // A ^A of their own would end them early.
  for (const auto& text : {credentials.user, credentials.password}) {
    if (auto prepared = prepare(text); !prepared) return tl::unexpected(std::move(prepared.error()));
  }
  return std::make_unique<Xoauth2>(credentials);
}

struct Row {
  Name name;
  std::string_view text;
  Made (*make)(const Credentials&, std::string_view nonce);
  bool is_for_passwords;
};
/// Best first.
constexpr std::array kMechanisms{
  Row{Name::scram_sha_256, "SCRAM-SHA-256", make_scram_sha_256, true},
  Row{Name::plain, "PLAIN", make_plain, true},
  Row{Name::login, "LOGIN", make_login, true},
  Row{Name::xoauth2, "XOAUTH2", make_xoauth2, false},
};

tl::unexpected<Error> none_in_common(
  const std::vector<std::string>& offered, const std::optional<Name>& wanted
) {
  std::string all;
  for (const auto& word : offered) all += " " + word;
  const auto offer = offered.empty() ? "offers no AUTH" : "offers AUTH" + printable(all, kMaxOffered);
  const auto what = wanted ? "not " + std::string(to_text(*wanted)) : "no mechanism that we have";
  return transient(Errc::not_permitted, offer + ", " + what);
}

}  // namespace

std::string_view to_text(Name name) {
  return std::find_if(
           kMechanisms.begin(), kMechanisms.end(), [&](const Row& row) { return row.name == name; }
  )->text;
}

std::optional<Name> parse_name(std::string_view text) {
  for (const auto& row : kMechanisms) {
    if (equals_ignoring_case(row.text, text)) return row.name;
  }
  return std::nullopt;
}

Result<void> Mechanism::conclude(std::string_view) const { return {}; }

Result<std::unique_ptr<Mechanism>> choose(
  const std::vector<std::string>& offered, const Credentials& credentials, std::string_view nonce
) {
  const auto& wanted = credentials.mechanism;
  Made chosen = none_in_common(offered, wanted);
  for (const auto& row : kMechanisms) {
    const bool is_candidate = wanted ? row.name == *wanted : row.is_for_passwords;
    const bool is_offered = std::any_of(offered.begin(), offered.end(), [&](const auto& word) {
      return equals_ignoring_case(word, row.text);
    });
    if (!is_candidate || !is_offered) continue;
    // What SCRAM cannot carry a lesser one may.
    chosen = row.make(credentials, nonce);
    if (chosen) break;
  }
  return chosen;
}

}  // namespace relay::sasl

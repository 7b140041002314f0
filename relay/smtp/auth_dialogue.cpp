#include "relay/smtp/auth_dialogue.hpp"

#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

AuthTurn challenge(std::string_view octets) {
  return auth_turn::Say{Reply{334, std::nullopt, base64(octets)}};
}
AuthTurn cancel(std::string_view why) { return auth_turn::Cancel{reply(501, {5, 5, 2}, why)}; }

struct AsTurn {
  AuthTurn operator()(sasl::server_step::Challenge& step) const { return challenge(step.octets); }
  AuthTurn operator()(sasl::server_step::CheckPassword& step) const {
    return auth_turn::CheckPassword{std::move(step.user), std::move(step.password)};
  }
  AuthTurn operator()(sasl::server_step::CheckProof& step) const {
    return auth_turn::CheckProof{step.is_right};
  }
  AuthTurn operator()(sasl::server_step::Accepted& step) const {
    return auth_turn::End{std::move(step.user), true};
  }
  AuthTurn operator()(sasl::server_step::Refused& step) const {
    return auth_turn::End{std::move(step.user), false, step.acts_as_another};
  }
  AuthTurn operator()(sasl::server_step::Malformed&) const {
    return cancel("Not a response of this mechanism");
  }
};

}  // namespace

tl::expected<AuthArguments, Reply> parse_auth(std::string_view argument) {
  const auto words = split(argument, ' ');
  if (words.empty() || words.size() > 2)
    return tl::unexpected(reply(501, {5, 5, 4}, "Syntax: AUTH mechanism [initial-response]"));
  const auto name = sasl::parse_name(words[0]);
  if (!name || *name == sasl::Name::xoauth2)
    return tl::unexpected(reply(504, {5, 5, 4}, "Mechanism not offered"));
  AuthArguments arguments{*name};
  if (words.size() == 2) arguments.initial_response = std::string(words[1]);
  return arguments;
}

Reply credentials_refused() { return reply(535, {5, 7, 8}, "Authentication credentials invalid"); }

Reply acting_refused() { return reply(535, {5, 7, 8}, "No user may act as another one"); }

AuthDialogue::AuthDialogue(
  sasl::Name mechanism, std::shared_ptr<const sasl::Users> users, std::string_view nonce
)
    : mechanism_(sasl::make_server(mechanism, std::move(users), nonce)) {}

AuthTurn AuthDialogue::begin(const std::optional<std::string>& initial_response) {
  if (!initial_response) return challenge(mechanism_->first_challenge());
  if (*initial_response == "=") return respond({});
  return receive(*initial_response);
}

AuthTurn AuthDialogue::receive(std::string_view line) {
  if (line == "*" || is_over_) return give_up("Authentication cancelled");
  const auto octets = parse_base64(line);
  if (!octets) return give_up("Not base64");
  return respond(*octets);
}

AuthTurn AuthDialogue::give_up(std::string_view why) {
  is_over_ = true;
  return cancel(why);
}

AuthTurn AuthDialogue::password_checked(bool is_right) {
  return turn(mechanism_->password_checked(is_right));
}

AuthTurn AuthDialogue::respond(std::string_view octets) { return turn(mechanism_->respond(octets)); }

AuthTurn AuthDialogue::turn(sasl::ServerStep step) { return std::visit(AsTurn{}, step); }

}  // namespace relay::smtp

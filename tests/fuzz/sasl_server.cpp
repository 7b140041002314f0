/// smtp::AuthDialogue and the server's side of sasl behind it. Input: an octet of choices (bits 0 and 1: the mechanism, bit
/// 2: the first line comes with the command, bit 3: lines are responses, which are put into base64 here), then lines of the
/// client. The one user is `user` with the password `pencil`, our nonce that of RFC 7677 section 3.

#include <array>
#include <string>

#include "relay/smtp/auth_dialogue.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/users.hpp"

namespace relay::smtp {
namespace {

using fuzz::require;

constexpr std::array kMechanisms{
  sasl::Name::plain, sasl::Name::login, sasl::Name::scram_sha_256, sasl::Name::plain
};

class Server {
 public:
  Server(sasl::Name mechanism, std::shared_ptr<const sasl::Users> users)
      : users_(std::move(users)), dialogue_(mechanism, users_, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0") {}

  void begin(const std::optional<std::string>& response) { take(dialogue_.begin(response)); }
  void receive(const std::string& line) {
    auto turn = dialogue_.receive(line);
    if (is_over_) require(std::holds_alternative<auth_turn::Cancel>(turn), "what is over stays over");
    else take(std::move(turn));
  }

 private:
  void take(AuthTurn turn) {
    if (const auto* check = std::get_if<auth_turn::CheckPassword>(&turn)) {
      require(!check->user.empty() && check->user.size() <= sasl::kMaxUserName, "a name has its limits");
      require(
        !check->password.empty() && check->password.size() <= sasl::kMaxPassword, "a password has its limits"
      );
      const bool is_right = check->user == "user" && check->password == "pencil";
      require(users_->check(check->user, check->password) == is_right, "one password is right");
      was_right_ = is_right;
      const auto user = check->user;
      turn = dialogue_.password_checked(is_right);
      const auto* end = std::get_if<auth_turn::End>(&turn);
      require(
        end != nullptr && end->is_right == is_right && end->user == user, "a checked password is the end"
      );
    }
    if (const auto* proof = std::get_if<auth_turn::CheckProof>(&turn)) {
      const bool is_right = proof->is_right;
      turn = dialogue_.password_checked(true);
      require(
        is_right ? std::holds_alternative<auth_turn::Say>(turn)
                 : std::holds_alternative<auth_turn::End>(turn),
        "a proof that is wrong stays so"
      );
    }
    if (const auto* challenge = std::get_if<auth_turn::Say>(&turn)) {
      const auto line = to_wire(challenge->challenge);
      require(
        line.starts_with("334 ") && line.size() <= kMaxReplyLine && line.ends_with("\r\n"),
        "a challenge is a line"
      );
      require(parse_base64(line.substr(4, line.size() - 6)).has_value(), "a challenge is base64");
      return;
    }
    is_over_ = true;
    if (const auto* cancel = std::get_if<auth_turn::Cancel>(&turn)) {
      require(cancel->reply.code == 501, "what is malformed is told so");
      return;
    }
    const auto& end = std::get<auth_turn::End>(turn);
    if (!end.is_right) return;
    require(end.user == "user", "a stranger never logs in");
    require(
      was_right_ || dialogue_.mechanism() == sasl::Name::scram_sha_256, "the password was checked, or proven"
    );
  }

  std::shared_ptr<const sasl::Users> users_;
  AuthDialogue dialogue_;
  bool is_over_ = false;
  bool was_right_ = false;
};

}  // namespace
}  // namespace relay::smtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::smtp;
  static const auto kUsers = test::users();
  fuzz::InputView input(data, size);
  const unsigned choices = input.octet();
  const auto next = [&] {
    const auto line = input.line();
    return (choices & 8U) != 0 ? base64(line) : std::string(line);
  };
  Server server(kMechanisms[choices & 3U], kUsers);
  server.begin((choices & 4U) != 0 ? std::optional(next()) : std::nullopt);
  while (!input.rest().empty()) server.receive(next());
  return 0;
}

#include "relay/ctl/user_line.hpp"

#include <array>
#include <istream>
#include <openssl/rand.h>
#include <ostream>

#include "relay/base/text.hpp"
#include "relay/sasl/scram.hpp"
#include "relay/sasl/users.hpp"

namespace relay::ctl {
namespace {

constexpr std::size_t kSaltOctets = 16;

template <std::size_t count>
Result<std::string> random_octets() {
  std::array<unsigned char, count> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1)
    return permanent(Errc::unavailable, "libcrypto has no randomness");
  return std::string(octets.begin(), octets.end());
}

}  // namespace

Result<std::string> first_line(std::istream& in) {
  std::string line;
  std::getline(in, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Result<void> write_user_line(const UserRequest& request, const AskPassword& ask, std::ostream& out) {
  const auto wrong = [](const char* what) { return permanent(Errc::invalid_argument, what); };
  if (!sasl::is_user_name(request.name))
    return wrong("a user's name has 1 to 255 octets, no colon, no control character and no blank at its ends"
    );
  if (request.name.starts_with('#')) return wrong("a user's name does not begin with #: that is a comment");
  if (request.iterations < sasl::kMinIterations || request.iterations > sasl::kMaxIterations)
    return wrong("the number of iterations is from 4096 to 600000");
  const auto password = ask();
  if (!password) return tl::unexpected(password.error());
  if (password->empty()) return wrong("no password: it is the first line of standard input");
  if (password->size() > sasl::kMaxPassword) return wrong("a password has 1024 octets at most");
  if (!sasl::prepare(*password)) return wrong("the password holds a control character");
  const auto salt = random_octets<kSaltOctets>();
  if (!salt) return tl::unexpected(salt.error());
  out << request.name << ":" << sasl::to_text(sasl::derive_keys(*password, *salt, request.iterations))
      << "\n";
  return {};
}

Result<void> write_stand_in_line(std::ostream& out) {
  const auto key = random_octets<sizeof(sasl::Digest)>();
  if (!key) return tl::unexpected(key.error());
  out << sasl::kStandIn << " " << base64(*key) << "\n";
  return {};
}

}  // namespace relay::ctl

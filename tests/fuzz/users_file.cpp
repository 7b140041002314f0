/// sasl::Users. Input: a line with the name to look up, then the file.

#include <algorithm>
#include <string>

#include "relay/sasl/users.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::sasl {
namespace {

using fuzz::require;

constexpr Digest kKeyForStrangers{1, 2, 3};

void check_error(const Error& error) {
  require(error.code == Errc::invalid_argument && error.fate == Fate::permanent, "a file is wrong for good");
  const auto& context = error.context;
  const auto colon = context.find(": ");
  require(context.starts_with("line ") && colon != std::string::npos, "an error names its line");
  require(parse_number(context.substr(5, colon - 5)).value_or(0) > 0, "lines count from 1");
  constexpr std::string_view kWhats[] = {
    "no colon behind the user's name", "the user's name is empty",
    "the name is not followed by",     "not of the form",
    "the iteration count is not",      "the salt is not",
    "StoredKey or ServerKey is not",   "this user has a line already",
    "the stand-in key is not",         "there is a stand-in key already"
  };
  const auto what = std::string_view(context).substr(colon + 2);
  require(
    std::any_of(std::begin(kWhats), std::end(kWhats), [&](auto known) { return what.starts_with(known); }) &&
      what.size() < 120,
    "an error quotes nothing"
  );
}

void check(const ScramKeys& keys) {
  require(
    keys.iterations >= kMinIterations && keys.iterations <= kMaxIterations,
    "a login costs no more than it may"
  );
  require(keys.salt.size() >= kMinSalt && keys.salt.size() <= kMaxSalt, "a salt is as long as it may be");
}

void check_user(std::string_view name, const ScramKeys& keys) {
  require(is_user_name(name), "a user may be called so");
  check(keys);
  const auto again = Users::parse(std::string(name) + ":" + to_text(keys), kKeyForStrangers);
  require(again && (*again)->count() == 1, "a user is read as it is written");
  require((*again)->find(name) != nullptr && *(*again)->find(name) == keys, "with the same keys");
}

std::string with_crlf(std::string_view file) {
  std::string out;
  for (const char c : file) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

}  // namespace
}  // namespace relay::sasl

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  using namespace relay::sasl;
  fuzz::InputView input(data, size);
  const auto name = input.line();
  const auto file = input.rest();
  const auto users = Users::parse(file, kKeyForStrangers);
  const bool has_cr = file.find('\r') != file.npos;
  const auto with_cr = Users::parse(with_crlf(file), kKeyForStrangers);
  if (!users) {
    check_error(users.error());
    fuzz::require(
      has_cr || (!with_cr && with_cr.error().context == users.error().context),
      "line ends of CRLF change nothing"
    );
    return 0;
  }
  const auto lines = static_cast<std::size_t>(std::count(file.begin(), file.end(), '\n')) + 1;
  fuzz::require((*users)->count() <= lines, "a line is one user at most");
  fuzz::require((*users)->fingerprint() == sha256(file), "other users have another fingerprint");

  const auto* found = (*users)->find(name);
  if (found != nullptr) check_user(name, *found);
  const auto keys = (*users)->keys_or_stand_in(name);
  check(keys);
  fuzz::require(keys == (*users)->keys_or_stand_in(name), "a stranger looks the same each time");
  fuzz::require(found == nullptr || keys == *found, "a user has its own keys");
  const auto stranger = (*users)->keys_or_stand_in(std::string(name) + ":");
  check(stranger);
  fuzz::require(stranger.stored_key != keys.stored_key, "no two have the same keys");

  fuzz::require(
    has_cr ||
      (with_cr && (*with_cr)->count() == (*users)->count() && (*with_cr)->keys_or_stand_in(name) == keys),
    "line ends of CRLF change nothing"
  );
  const auto twice = Users::parse(std::string(file) + "\n" + std::string(file), kKeyForStrangers);
  fuzz::require((*users)->count() == 0 || !twice, "a user has one line");
  return 0;
}

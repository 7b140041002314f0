#include "relay/base/secrets.hpp"

#include <algorithm>

namespace relay {
namespace {

constexpr std::size_t kTellingOctets = 6;
constexpr std::size_t kShortest = 4;

}  // namespace

bool quotes_secret(std::string_view text, std::string_view secret) {
  if (secret.size() < kShortest) return false;
  const auto length = std::min(secret.size(), kTellingOctets);
  for (std::size_t at = 0; at + length <= secret.size(); ++at) {
    if (text.find(secret.substr(at, length)) != std::string_view::npos) return true;
  }
  return false;
}

bool quotes_any_secret(std::string_view text, const std::vector<std::string>& secrets) {
  return std::any_of(secrets.begin(), secrets.end(), [text](const std::string& secret) {
    return quotes_secret(text, secret);
  });
}

}  // namespace relay

/// DKIM: all of a signature but the private key's own work, which hack/micro leaves out of the count.

#include "relay/dkim/signer.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

/// RFC 8463 appendix A.2.
constexpr std::string_view kKey =
  "-----BEGIN PRIVATE KEY-----\n"
  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
  "-----END PRIVATE KEY-----\n";

std::shared_ptr<const dkim::Rules> rules(dkim::Canonicalization how) {
  auto key = dkim::Key::parse(kKey);
  require(key.has_value(), "a key");
  dkim::Rule rule{"example.com", "s1", *key, how, how};
  return std::make_shared<const dkim::Rules>(dkim::Rules{rule});
}

Operation sign_by(dkim::Canonicalization how) {
  return [rules = rules(how), envelope = message_envelope(), content = message_content()] {
    dkim::Signer signer(rules, envelope.reverse_path, envelope.arrival);
    signer.feed(content);
    const auto fields = signer.finish();
    require(fields && fields->starts_with("DKIM-Signature:"), "a signature");
  };
}
Operation sign_relaxed() { return sign_by(dkim::Canonicalization::relaxed); }
Operation sign_simple() { return sign_by(dkim::Canonicalization::simple); }

Operation hash_body() {
  return [content = message_content()] {
    dkim::BodyHash hash(dkim::Canonicalization::relaxed);
    hash.feed(content);
    require(hash.finish().size() == 32, "a hash");
  };
}

}  // namespace

std::vector<Path> dkim_paths() {
  return {
    {"dkim/hash_body", 100, hash_body},
    {"dkim/sign_relaxed", 50, sign_relaxed},
    {"dkim/sign_simple", 50, sign_simple},
  };
}

}  // namespace relay::micro

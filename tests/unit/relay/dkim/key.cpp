#include "relay/dkim/key.hpp"

#include <thread>

#include "keys.hpp"

namespace relay::dkim {
namespace {

using test::kRfc8463Ed25519;
using test::kRfc8463Rsa;

using Generated = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Generated generated(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

std::string pkcs8(const Generated& key, const EVP_CIPHER* cipher = nullptr) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(
    bio.get(), key.get(), cipher, cipher ? "secret" : nullptr, cipher ? 6 : 0, nullptr, nullptr
  );
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

TEST(Key, ReadsTheKeysOfRfc8463) {
  const auto ed25519 = test::key(kRfc8463Ed25519);
  EXPECT_EQ(ed25519->algorithm(), Algorithm::ed25519_sha256);
  EXPECT_EQ(ed25519->bits(), 256);
  EXPECT_EQ(ed25519->dns_record(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  const auto rsa = test::key(kRfc8463Rsa);
  EXPECT_EQ(rsa->algorithm(), Algorithm::rsa_sha256);
  EXPECT_EQ(rsa->bits(), 1024);
  EXPECT_EQ(
    rsa->dns_record(),
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2"
    "jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
    "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
  );
}

TEST(Key, ReadsPkcs8AmidOtherTextAndWithEitherLineEnd) {
  const auto pem = pkcs8(generated(EVP_RSA_gen(2048)));
  EXPECT_EQ(test::key(pem)->bits(), 2048);
  EXPECT_TRUE(Key::parse("for mail\n" + pem + "the end\n"));
  EXPECT_TRUE(Key::parse(std::regex_replace(pem, std::regex("\n"), "\r\n")));
}

TEST(Key, RefusesWhatCannotSignAndQuotesNothing) {
  const auto rsa = generated(EVP_RSA_gen(1024));
  const auto pem = pkcs8(rsa);
  auto damaged = pem;
  damaged.replace(100, 4, "!!!!");
  std::string other_public(kRfc8463Rsa);
  other_public.replace(100, 1, "B");  // within the modulus
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
         {"", "no private key"},
         {"secret", "no private key"},
         {damaged, "damaged"},
         {pem.substr(0, 300), "damaged"},
         {other_public, ""},
         {pkcs8(rsa, EVP_aes_128_cbc()), "encrypted"},
         {pkcs8(generated(EVP_RSA_gen(512))), "512 bits"},
         {pkcs8(generated(EVP_EC_gen("P-256"))), "neither RSA nor Ed25519"},
         {pkcs8(generated(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"))), "neither RSA nor Ed25519"},
       }) {
    const auto key = Key::parse(text);
    ASSERT_FALSE(key) << why;
    EXPECT_EQ(key.error().code, Errc::invalid_argument);
    EXPECT_EQ(key.error().fate, Fate::permanent);
    EXPECT_NE(key.error().context.find(why), std::string::npos) << key.error().context;
    EXPECT_EQ(key.error().context.find("secret"), std::string::npos);
    EXPECT_LT(key.error().context.size(), 100U);
  }
}

TEST(Key, GivesTheSameSignatureOnAnyThread) {
  for (const auto pem : {kRfc8463Ed25519, kRfc8463Rsa}) {
    const auto key = test::key(pem);
    const auto expected = key->sign("text").value();
    EXPECT_TRUE(test::is_signature(key->dns_record(), "text", expected));
    EXPECT_FALSE(test::is_signature(key->dns_record(), "texts", expected));
    std::array<bool, 4> are_same{};
    std::vector<std::thread> threads;
    for (auto& is_same : are_same) {
      threads.emplace_back([&] {
        is_same = true;
        for (int i = 0; i < 50; ++i) is_same = is_same && key->sign("text") == expected;
      });
    }
    for (auto& thread : threads) thread.join();
    for (const bool is_same : are_same) EXPECT_TRUE(is_same);
  }
}

}  // namespace
}  // namespace relay::dkim

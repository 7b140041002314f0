#include "relay/sasl/scram_keys.hpp"

#include <gtest/gtest.h>

#include "relay/base/text.hpp"
#include "tests/support/users.hpp"

namespace relay::sasl {
namespace {

const std::string kSalt = *parse_base64("W22ZaJ0SNY7soEsUEjb6gQ==");

TEST(ScramKeys, AreThoseOfRfc7677AsPostgresqlWritesThem) {
  const auto keys = derive_keys("pencil", kSalt, 4096);
  EXPECT_EQ("user:" + to_text(keys), test::kUserLine);
  EXPECT_TRUE(is_password_of(keys, "pencil"));
  for (const auto* other : {"", "pencil ", "Pencil", "pencils"}) EXPECT_FALSE(is_password_of(keys, other));
}

TEST(ScramKeys, ChangeWithSaltAndIterations) {
  const auto keys = derive_keys("pencil", kSalt, 4096);
  EXPECT_NE(derive_keys("pencil", kSalt, 4097).stored_key, keys.stored_key);
  EXPECT_NE(derive_keys("pencil", kSalt + "x", 4096).server_key, keys.server_key);
}

TEST(Digests, AreCutToNoOtherLength) {
  EXPECT_TRUE(to_digest(std::string(32, 'x')));
  for (const std::size_t size : {0U, 31U, 33U, 64U}) EXPECT_FALSE(to_digest(std::string(size, 'x')));
}

TEST(Digests, CancelThemselvesOut) {
  const auto a = sha256("a");
  const auto b = sha256("b");
  EXPECT_EQ(exclusive_or(exclusive_or(a, b), b), a);
  EXPECT_TRUE(are_equal(a, a));
  EXPECT_FALSE(are_equal(a, b));
}

}  // namespace
}  // namespace relay::sasl

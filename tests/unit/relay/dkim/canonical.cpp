#include "relay/dkim/canonical.hpp"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

constexpr auto kSimple = Canonicalization::simple;
constexpr auto kRelaxed = Canonicalization::relaxed;

std::string canonical(std::string_view field, Canonicalization how) {
  std::string out;
  append_canonical(out, field, how);
  return out;
}

std::string hash_of(std::string_view body, Canonicalization how, std::size_t piece = 1 << 20) {
  BodyHash hash(how);
  for (std::size_t i = 0; i < body.size(); i += piece) hash.feed(body.substr(i, piece));
  return hash.finish();
}

std::string sha256(std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(
    reinterpret_cast<const unsigned char*>(text.data()), text.size(),
    reinterpret_cast<unsigned char*>(digest.data())
  );
  return digest;
}

/// The body hashes as `form` does, however it is cut.
void expect_form(std::string_view body, Canonicalization how, std::string_view form) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 1U << 20U}) {
    EXPECT_EQ(hash_of(body, how, piece), sha256(form)) << body << " in pieces of " << piece;
  }
}

TEST(CanonicalField, IsAsTheExamplesOfRfc6376Section345) {
  EXPECT_EQ(canonical("A: X", kRelaxed), "a:X");
  EXPECT_EQ(canonical("B : Y\t\r\n\tZ  ", kRelaxed), "b:Y Z");
  EXPECT_EQ(canonical("A: X", kSimple), "A: X");
  EXPECT_EQ(canonical("B : Y\t\r\n\tZ  ", kSimple), "B : Y\t\r\n\tZ  ");
}

TEST(CanonicalField, RelaxedMayBeEmptyOrHoldOddOctets) {
  EXPECT_EQ(canonical("X:", kRelaxed), "x:");
  EXPECT_EQ(canonical("X: \t\r\n ", kRelaxed), "x:");
  EXPECT_EQ(canonical("X-\xc3\x9c: a:\xff  b\r c", kRelaxed), "x-\xc3\x9c:a:\xff b\r c");
  EXPECT_EQ(canonical("no colon", kRelaxed), "no colon:");
}

TEST(BodyHash, IsAsTheExamplesOfRfc6376Section345) {
  constexpr std::string_view body = " C \r\nD \t E\r\n\r\n\r\n";
  expect_form(body, kRelaxed, " C\r\nD E\r\n");
  expect_form(body, kSimple, " C \r\nD \t E\r\n");
}

TEST(BodyHash, OfAnEmptyBodyIsAsRfc6376Section343Says) {
  EXPECT_EQ(base64(hash_of("", kSimple)), "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=");
  EXPECT_EQ(base64(hash_of("", kRelaxed)), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(BodyHash, DropsEmptyLinesAtTheEndOnly) {
  expect_form("\r\n\r\n\r\n", kSimple, "\r\n");
  expect_form("\r\n\r\n\r\n", kRelaxed, "");
  expect_form("\r\n\r\na\r\n\r\nb\r\n\r\n", kSimple, "\r\n\r\na\r\n\r\nb\r\n");
  expect_form("\r\n\r\na\r\n\r\nb\r\n\r\n", kRelaxed, "\r\n\r\na\r\n\r\nb\r\n");
}

TEST(BodyHash, TakesALineOfBlanksForEmptyWhenRelaxed) {
  expect_form("a\r\n \t\r\n  \r\n", kRelaxed, "a\r\n");
  expect_form("a\r\n \t\r\n  \r\n", kSimple, "a\r\n \t\r\n  \r\n");
  expect_form(" \t \r\n", kRelaxed, "");
  expect_form("a\r\n \t\r\nb\r\n", kRelaxed, "a\r\n\r\nb\r\n");
}

TEST(BodyHash, EndsABodyThatLacksItsLastLineEnd) {
  expect_form("a", kSimple, "a\r\n");
  expect_form("a", kRelaxed, "a\r\n");
  expect_form("a \t", kRelaxed, "a\r\n");
  expect_form("a \t", kSimple, "a \t\r\n");
}

TEST(BodyHash, KeepsWhatIsNoLineEnd) {
  expect_form("a\rb\nc\r\r\n\r", kSimple, "a\rb\nc\r\r\n\r\r\n");
  expect_form("a \rb\nc \r\r\n", kRelaxed, "a \rb\nc \r\r\n");
}

TEST(BodyHash, CountsLineEndsInsteadOfKeepingThem) {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "\r\n";
  expect_form(body, kRelaxed, "");
  expect_form(body + "x\r\n", kRelaxed, body + "x\r\n");
  expect_form(body + std::string(100'000, 'y'), kSimple, body + std::string(100'000, 'y') + "\r\n");
}

}  // namespace
}  // namespace relay::dkim

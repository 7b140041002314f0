#include "relay/redaction/redact.hpp"

#include <gtest/gtest.h>

namespace relay::redaction {
namespace {

class Redaction : public ::testing::Test {
 protected:
  /// A text as the field `name` shows it, beside a recipient alice@example.net.
  std::string shown(const std::string& name, const std::string& text) const {
    const auto record = log::info("test").with("recipient", "alice@example.net").with(name, text);
    return redact(record, tokens.get()).fields().at(name).get<std::string>();
  }
  std::string token(std::string_view text) const { return tokens->seal(text); }

  std::shared_ptr<const Tokens> tokens = *Tokens::make("0123456789abcdef");
};

TEST_F(Redaction, PutsTheSameTokenForAnAddressEverywhere) {
  const auto record =
    log::info("delivery")
      .with("sender", "bob@example.com")
      .with("recipients", std::vector<std::string>{"alice@example.net", "carol@example.net"})
      .with("reply", "550 5.1.1 <alice@example.net>: no such user")
      .with("size", 12);
  const auto fields = redact(record, tokens.get()).fields();
  EXPECT_EQ(fields.at("event"), "delivery");
  EXPECT_EQ(fields.at("size"), 12);
  EXPECT_EQ(fields.at("sender"), token("bob") + "@example.com");
  EXPECT_EQ(fields.at("recipients").at(0), token("alice") + "@example.net");
  EXPECT_EQ(fields.at("recipients").at(1), token("carol") + "@example.net");
  EXPECT_EQ(fields.at("reply"), "550 5.1.1 <" + token("alice") + "@example.net>: no such user");
}

TEST_F(Redaction, TakesWhomAClientNamedForAddresses) {
  const auto record = log::info("reception")
                        .with("original_sender", "bob@example.com")
                        .with("original_recipients", std::vector<std::string>{"Postmaster"})
                        .with("reply", "250 OK bob");
  const auto fields = redact(record, tokens.get()).fields();
  EXPECT_EQ(fields.at("original_sender"), token("bob") + "@example.com");
  EXPECT_EQ(fields.at("original_recipients").at(0), token("Postmaster"));
  EXPECT_EQ(fields.at("reply"), "250 OK " + token("bob"));
}

TEST_F(Redaction, KeepsLevelAndOrder) {
  const auto record = redact(log::warning("failure").with("sender", "a@b").with("host", "mx"), tokens.get());
  EXPECT_EQ(record.level(), log::Level::warning);
  EXPECT_EQ(record.to_line(WallTime{}).find("\"level\":\"warning\",\"event\":\"failure\",\"sender\":"), 35U);
}

TEST_F(Redaction, CutsOutWhereThereIsNoKey) {
  const auto record = log::info("x").with("sender", "bob@example.com").with("reply", "550 bob: <carol@a.b>");
  const auto fields = redact(record, nullptr).fields();
  EXPECT_EQ(fields.at("sender"), "~@example.com");
  EXPECT_EQ(fields.at("reply"), "550 ~: <~@a.b>");
}

TEST_F(Redaction, TakesAUserForAnAddress) {
  const auto record = log::warning("login_failed")
                        .with("user", "bob")
                        .with("reason", "wrong password of bob")
                        .with("client", "::1");
  const auto fields = redact(record, tokens.get()).fields();
  EXPECT_EQ(fields.at("user"), token("bob"));
  EXPECT_EQ(fields.at("reason"), "wrong password of " + token("bob"));
  EXPECT_EQ(fields.at("client"), "::1");
  EXPECT_EQ(shown("user", "bob@example.com"), token("bob") + "@example.com");
}

TEST_F(Redaction, LeavesTheNullPath) { EXPECT_EQ(shown("sender", ""), ""); }

TEST_F(Redaction, TakesAQuotedLocalPartAsAWhole) {
  const std::string john = R"("john @ \"doe")";
  EXPECT_EQ(shown("sender", john + "@example.com"), token(john) + "@example.com");
  EXPECT_EQ(
    shown("reply", "550 <\"john doe\"@example.com> no"), "550 <" + token("\"john doe\"") + "@example.com> no"
  );
}

TEST_F(Redaction, FindsEachAddressOfAText) {
  EXPECT_EQ(
    shown("message", "of 'x.y+z@a.b', mailto:o@c.d and SRS0=a=b=c@d"),
    "of '" + token("x.y+z") + "@a.b', mailto:" + token("o") + "@c.d and " + token("SRS0=a=b=c") + "@d"
  );
  EXPECT_EQ(shown("error", "@ @@ <@a.b>"), "@ @@ <@a.b>");
  EXPECT_EQ(shown("error", "j\xc3\xbcrgen@a.b"), token("j\xc3\xbcrgen") + "@a.b");
}

TEST_F(Redaction, FindsTheRecordsOwnLocalPartsInWordsOfPeers) {
  for (const auto* name : {"reply", "reason", "last", "error"}) {
    EXPECT_EQ(shown(name, "550 user alice unknown"), "550 user " + token("alice") + " unknown") << name;
  }
  EXPECT_EQ(shown("reply", "no ALICE here"), "no " + token("ALICE") + " here");
  EXPECT_EQ(shown("reply", "alice%40example.net"), token("alice") + "%40example.net");
  EXPECT_EQ(shown("reply", "malice, alices"), "malice, alices");
  EXPECT_EQ(shown("reply", "alice-home is full"), token("alice-home") + " is full")
    << "nothing sticks to a token";
  EXPECT_EQ(shown("stage", "alice"), "alice") << "our own words stay";
}

TEST_F(Redaction, CanBeUndoneWithTheKey) {
  const std::string reply = R"(550 5.1.1 <alice@example.net>... alice, "a b"@c.d, alice-x and rcpt=alice@e)";
  EXPECT_EQ(reveal(shown("reply", reply), *tokens), reply);
}

TEST_F(Redaction, GoesIntoNestedFields) {
  nlohmann::ordered_json nested{{"list", {"bob@example.com", 1}}};
  const auto fields = redact(log::info("x").with("more", nested), tokens.get()).fields();
  EXPECT_EQ(fields.at("more").at("list").at(0), token("bob") + "@example.com");
}

}  // namespace
}  // namespace relay::redaction

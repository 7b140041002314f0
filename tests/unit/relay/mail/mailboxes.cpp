#include "relay/mail/mailboxes.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

std::string read(std::string_view value) {
  const auto found = mailboxes_of(value);
  if (!found) return "broken";
  std::string text;
  for (const auto& address : *found) text += (text.empty() ? "" : " ") + address.to_text();
  return text;
}

TEST(Mailboxes, AreReadFromAllThatAFieldMayHold) {
  EXPECT_EQ(read("a@b.test"), "a@b.test");
  EXPECT_EQ(read(" Ann Example <a@b.test> "), "a@b.test");
  EXPECT_EQ(read("\"Example, Ann <x@y.test>\" <a@b.test>, c@d.test"), "a@b.test c@d.test");
  EXPECT_EQ(read("a@b.test <c@d.test>"), "c@d.test") << "a display name, whatever it looks like";
  EXPECT_EQ(read("a (a comment (nested, x@y.test)) @ b.test"), "a@b.test");
  EXPECT_EQ(read("Team: a@b.test, Bob <b@b.test>;, c@d.test"), "a@b.test b@b.test c@d.test");
  EXPECT_EQ(read("<@x.test,@y.test:a@b.test>"), "a@b.test");
  EXPECT_EQ(read("\"a\\\" b\"@b.test"), "\"a\\\" b\"@b.test");
  EXPECT_EQ(read("a@[IPv6:2001:db8::1]"), "a@[IPv6:2001:db8::1]");
  EXPECT_EQ(read("=?utf-8?q?Bj=C3=B6rn?= <a@b.test>"), "a@b.test");
  EXPECT_EQ(read("\xC3\xA4@b.test"), "\xC3\xA4@b.test");
}

TEST(Mailboxes, WithoutADomainNameNobodyElsewhere) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("root"), "");
  EXPECT_EQ(read("Cron Daemon <root>, a@b.test"), "a@b.test");
  EXPECT_EQ(read("undisclosed-recipients:;"), "");
}

TEST(Mailboxes, AreNoneWhereOneCannotBeRead) {
  for (const auto* value :
       {"<a@b.test", "a@b.test>", "<a@b.test> c@d.test", "\"a@b.test", "(a@b.test", "a@", "@b.test",
        "a@b@c.test", "a@[1.2.3.4", "<<a@b.test>>", "<a@b.test><c@d.test>", "boss@bank.test: a@b.test;",
        "a@b.test\x01"}) {
    EXPECT_EQ(read(value), "broken") << value;
  }
}

}  // namespace
}  // namespace relay::mail

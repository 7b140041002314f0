#include "relay/mail/mending.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

std::string at_x(std::string_view text) { return qualified(text, "x.test"); }

TEST(Mending, QualifiesMailboxesThatAreALocalPartAlone) {
  EXPECT_EQ(at_x(" root\r\n"), " root@x.test\r\n");
  EXPECT_EQ(at_x("root (Cron Daemon)"), "root@x.test (Cron Daemon)");
  EXPECT_EQ(at_x("(a, b) root"), "(a, b) root@x.test");
  EXPECT_EQ(at_x("Cron <root>"), "Cron <root@x.test>");
  EXPECT_EQ(at_x("\"A, B\" < root >, c@d, e"), "\"A, B\" < root@x.test >, c@d, e@x.test");
  EXPECT_EQ(at_x("\"the boss\""), "\"the boss\"@x.test");
  EXPECT_EQ(at_x("\"a@b\""), "\"a@b\"@x.test") << "the @ is of the local part";
  EXPECT_EQ(at_x("a.b,\r\n c"), "a.b@x.test,\r\n c@x.test");
  EXPECT_EQ(at_x("team: a, B <b>;, c"), "team: a@x.test, B <b@x.test>;, c@x.test");
}

TEST(Mending, LeavesAllElseAsItIs) {
  for (const std::string_view text :
       {"",
        " \r\n",
        "a@b",
        "A <a@b>",
        "<>",
        "<@r:a@b>",
        "undisclosed-recipients:;",
        "John Doe",
        "=?utf-8?Q?J=C3=B6rg?=",
        "(root)",
        "root (open",
        "\"open",
        "A <root",
        "root@",
        "@root",
        "a b <c d>",
        "<a@b> root",
        "\\",
        "\"\\",
        "(\\",
        ",;,",
        "a\\b",
        "a..\x01"}) {
    EXPECT_EQ(at_x(text), text);
  }
}

TEST(Mending, DoesNotMakeAFieldGrowBeyondMeasure) {
  std::string many;
  for (int i = 0; i < 8000; ++i) many += "a,";
  EXPECT_EQ(at_x(many), many);
  EXPECT_EQ(at_x(many.substr(0, 4000)).size(), 4000U + 2000 * 7);
}

std::string mended(const Mending& mending, std::string_view content, std::uint64_t* added = nullptr) {
  HeaderEdit edit;
  Mender mender(mending);
  std::string out;
  edit.feed(content, mender, out);
  edit.finish(mender, out);
  if (added != nullptr) *added = mender.added();
  return out;
}
const Mending kAll{"x.test", "Thu, 1 Jan 1970 00:00:00 +0000", "<1@h>", "app@a.test"};

TEST(Mending, AddsWhatIsMissingAtTheEndOfTheHeader) {
  std::uint64_t added = 0;
  const auto out = mended(kAll, "Subject: s\r\n\r\nbody\r\n", &added);
  EXPECT_EQ(
    out,
    "Subject: s\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: app@a.test\r\nMessage-ID: "
    "<1@h>\r\n\r\nbody\r\n"
  );
  EXPECT_EQ(added, out.size() - std::string("Subject: s\r\n\r\nbody\r\n").size());
}

TEST(Mending, AddsNothingThatIsThereOrNotAskedFor) {
  const std::string whole = "date: x\r\nFROM: a@b\r\nMessage-Id: <2@h>\r\n\r\n";
  EXPECT_EQ(mended(kAll, whole), whole);
  EXPECT_EQ(mended({}, "Subject: s\r\n\r\n"), "Subject: s\r\n\r\n");
  EXPECT_EQ(mended({"", "d", "", ""}, "\r\n"), "Date: d\r\n\r\n");
  EXPECT_TRUE(Mending{}.is_nothing());
  EXPECT_FALSE(kAll.is_nothing());
}

TEST(Mending, QualifiesInFieldsOfAddressesAlone) {
  std::uint64_t added = 0;
  const auto out = mended(
    {"x.test", "", "", ""}, "From: root\r\nTo: a,\r\n b\r\nSubject: root\r\nResent-To: c\r\n\r\nTo: d\r\n",
    &added
  );
  EXPECT_EQ(
    out,
    "From: root@x.test\r\nTo: a@x.test,\r\n b@x.test\r\nSubject: root\r\nResent-To: c@x.test\r\n\r\nTo: d\r\n"
  );
  EXPECT_EQ(added, 4 * 7U);
}

}  // namespace
}  // namespace relay::mail

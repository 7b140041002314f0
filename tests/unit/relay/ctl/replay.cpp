#include "relay/ctl/replay.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "tests/unit/relay/ctl/rule_file.hpp"

namespace relay::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Replay : public RuleFile {
 protected:
  std::string run(const std::string& input) {
    const auto book = read_rulebook(settings_file, {});
    if (!book) return "failed: " + book.error().context;
    std::istringstream log(input);
    std::ostringstream out;
    replay(*book, detail, log, out);
    return out.str();
  }

  Detail detail = Detail::deeds;
};

/// A line of a log. @param more  further fields, each with its comma
std::string reception(const std::string& more = "", const std::string& recipient = "bob@b.test") {
  return R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"app@a.test",)"
         R"("recipients":[")" +
         recipient + R"("],"size":7)" + more + "}\n";
}

TEST(ReceptionOfALog, IsReadWithWhomTheClientNamed) {
  const auto read = read_reception(reception(
    R"(,"user":"u","listener":"lab","tls_version":"TLSv1.3","original_sender":"","original_recipients":["x@c.test",7,"y"])"
  ));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->queue_id, "Q1");
  EXPECT_EQ(read->client.to_text(), "10.0.0.7");
  EXPECT_EQ(read->user, "u");
  EXPECT_EQ(read->listener, "lab");
  EXPECT_TRUE(read->has_tls);
  EXPECT_TRUE(read->sender.is_null());
  ASSERT_EQ(read->recipients.size(), 1U) << "what is no address is passed over";
  EXPECT_EQ(read->recipients[0].to_text(), "x@c.test");
  EXPECT_EQ(read->size, 7U);
}

TEST(ReceptionOfALog, IsNoOtherLine) {
  EXPECT_TRUE(read_reception(reception()));
  for (const auto* line : {
         "",
         "text",
         "[]",
         R"({"event":"delivery"})",
         R"({"event":"reception"})",
         R"({"event":"reception","client":"here","sender":"a@b.test","recipients":[]})",
         R"({"event":"reception","client":"10.0.0.7","sender":"@","recipients":[]})",
         R"({"event":"reception","client":"10.0.0.7","sender":"a@b.test","recipients":"c@d.test"})",
       })
    EXPECT_FALSE(read_reception(line)) << line;
}

TEST_F(Replay, SaysThatNoRuleOpensAnAddressLiteral) {
  settings(R"({"name": "all", "action": "route", "smarthost": "primary"})");
  const auto text = run(
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"a@a.test","recipients":["x@[192.0.2.1]","y@b.test"],"size":7})"
    "\n"
  );
  EXPECT_THAT(
    text, HasSubstr("Q1 10.0.0.7 <a@a.test> <x@[192.0.2.1]>: refused whatever rules say: 550 5.1.2 ")
  );
  EXPECT_THAT(text, HasSubstr("messages: 1, recipients: 2\n"));
  EXPECT_THAT(text, HasSubstr("all                     route     1\n")) << "it was not asked";
  EXPECT_THAT(text, HasSubstr("  1 are refused whatever rules say\n"));
}

TEST_F(Replay, SaysWhoMayNoLongerSendAsWhom) {
  const std::string bindings =
    R"("sender_bindings": [{"name": "own", "users": ["app"], "senders": ["a.test"], "header_from": "on"}], )";
  settings("", R"("auth_users_file": "/users", "auth_requires_tls": "off", )" + bindings);
  const std::string record =
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"a@a.test","recipients":["y@b.test"],"size":7)";
  EXPECT_THAT(
    run(record + "}\n"), HasSubstr("Q1 10.0.0.7 <a@a.test> <y@b.test>: refused whatever rules say: 553")
  );
  EXPECT_THAT(run(record + R"(,"user":"app"})" + "\n"), Not(HasSubstr("refused")))
    << "the log says who it was";
  settings("", bindings);
  EXPECT_THAT(run(record + R"(,"user":"app"})" + "\n"), HasSubstr("refused whatever rules say: 553"))
    << "these settings have no users";
}

TEST_F(Replay, CountsWhatGoesOn) {
  settings(R"({"name": "fast", "action": "limit", "limit_rate": "10/1m"},
    {"name": "closed", "recipients": ["c.test"], "action": "reject"})");
  const auto text = run(
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"a@a.test","recipients":["x@c.test","y@b.test"],"size":7})"
    "\n"
  );
  EXPECT_THAT(text, HasSubstr("fast                    limit     2 counted; whether it refuses depends on"));
  EXPECT_THAT(text, HasSubstr("closed                  reject    1\n"));
}

TEST_F(Replay, SaysWhoMayNoLongerRelay) {
  settings(
    "",
    R"("listeners": [{"name": "lab", "listen": ["127.0.0.1:2588"], "allowed_networks": ["192.0.2.0/24"]}], )"
  );
  EXPECT_THAT(run(reception()), Not(HasSubstr("refused")));
  const auto text = run(reception(R"(,"listener":"lab")"));
  EXPECT_THAT(
    text,
    HasSubstr("Q1 10.0.0.7 <app@a.test> <bob@b.test>: refused whatever rules say: 550 5.7.1 Relaying denied")
  );
  EXPECT_THAT(text, HasSubstr("  1 are refused whatever rules say\n"));
  EXPECT_THAT(
    run(reception(R"(,"listener":"old")")),
    HasSubstr(": refused whatever rules say: the settings know no listener 'old'\n")
  );
  std::ofstream(settings_file) << R"({"allowed_networks": ["192.0.2.0/24"],
    "smarthosts": [{"name": "primary", "host": "smtp.test"}]})";
  EXPECT_THAT(run(reception()), HasSubstr("refused whatever rules say: 550 5.7.1"));
  EXPECT_THAT(run(reception(R"(,"user":"app")")), HasSubstr("refused whatever rules say: 550 5.7.1"))
    << "these settings have no users";
}

TEST_F(Replay, SaysWhoHasToLogInNow) {
  settings("", R"("auth_users_file": "/users", "auth_requires_tls": "off", "listeners": [
    {"name": "submission", "listen": ["127.0.0.1:2587"], "auth": "required"}], )");
  EXPECT_THAT(
    run(reception(R"(,"listener":"submission")")),
    HasSubstr("refused whatever rules say, unless it logs in: 530 5.7.0")
  );
  EXPECT_THAT(run(reception(R"(,"listener":"submission","user":"app")")), Not(HasSubstr("refused")));
}

TEST_F(Replay, SaysWhatTheModeDoes) {
  settings("", R"("mode": "capture",)");
  auto text = run(reception());
  EXPECT_THAT(
    text, HasSubstr("accepted, no rule matches; by mx/b.test; captured: mode capture lets no mail out\n")
  );
  EXPECT_THAT(text, HasSubstr("  1 are kept in by the mode\n"));
  settings("", R"("mode": "redirect", "mode_redirect_to": "qa@q.test",)");
  text = run(reception());
  EXPECT_THAT(text, HasSubstr("; mode redirect sends it to qa@q.test instead\n"));
  EXPECT_THAT(text, HasSubstr("  1 go to another address by the mode\n"));
  settings("", R"("mode": "allowlist", "mode_allowed": ["c.test"], "mode_others": "reject",)");
  EXPECT_THAT(run(reception()), HasSubstr("<bob@b.test>: refused by the mode: 550 5.7.1"));
  EXPECT_THAT(run(reception("", "bob@c.test")), Not(HasSubstr("Q1"))) << "it goes out as it did";
}

TEST_F(Replay, SaysThatALogDoesNotTellTheHeaderThatBindingsCover) {
  settings(
    "",
    R"("sender_bindings": [{"name": "own", "clients": ["10.0.0.7"], "senders": ["a.test"], "header_from": "on"}], )"
  );
  EXPECT_THAT(run(reception()), HasSubstr("From in the header, which sender bindings cover, is not judged"));
}

TEST_F(Replay, JudgesWhomTheClientNamed) {
  settings(R"({"name": "closed", "recipients": ["c.test"], "action": "reject"},
    {"name": "spoofed", "senders": ["bank.test"], "action": "reject"})");
  auto text = run(reception(R"(,"original_recipients":["x@c.test","y@b.test"])"));
  EXPECT_THAT(text, HasSubstr("<app@a.test> <x@c.test>: refused (rule closed)"));
  EXPECT_THAT(text, HasSubstr("messages: 1, recipients: 2\n"));
  text = run(reception(R"(,"original_sender":"boss@bank.test")"));
  EXPECT_THAT(text, HasSubstr("<boss@bank.test> <bob@b.test>: refused (rule spoofed)"));
  text = run(reception(R"(,"original_sender":"")", "x@c.test"));
  EXPECT_THAT(text, HasSubstr("<> <x@c.test>: refused (rule closed)")) << "the null sender is one, too";
}

TEST_F(Replay, SaysWhatGoesOnAndIsDone) {
  settings(R"({"name": "fast", "action": "limit", "limit_rate": "10/1m"},
    {"name": "tag", "recipients": ["b.test", "gone.test"], "action": "add_header", "field_name": "X-Tag", "field_value": "yes"},
    {"name": "copy", "recipients": ["b.test", "gone.test"], "action": "copy", "copy_to": "archive@a.test"},
    {"name": "gone", "recipients": ["gone.test"], "action": "discard"},
    {"name": "fine", "recipients": ["b.test"], "action": "accept"})");
  EXPECT_THAT(
    run(reception()), HasSubstr("<bob@b.test>: accepted (rule fine); by mx/b.test; tag: adds X-Tag: yes; "
                                "copy: a copy goes to archive@a.test\n")
  );
  EXPECT_THAT(
    run(reception("", "x@gone.test")),
    HasSubstr(": thrown away (rule gone); copy: a copy goes to archive@a.test\n")
  ) << "a copy outlives that, a field does not";
  EXPECT_THAT(run(reception("", "x@d.test")), Not(HasSubstr("Q1"))) << "a limit depends on the count";
  settings(R"({"name": "rename", "action": "rewrite_sender", "new_sender": "noreply@a.test"})");
  EXPECT_THAT(run(reception()), HasSubstr("no rule decides; by mx/b.test; rename: the sender becomes"));
  EXPECT_THAT(run(reception(R"(,"original_sender":"")")), Not(HasSubstr("Q1"))) << "which stays null";
}

TEST_F(Replay, PrintsEachRuleThatWasLookedAtAndWhyWhenAsked) {
  detail = Detail::findings;
  settings(
    R"({"name": "closed", "recipients": ["c.test"], "action": "reject"},
    {"name": "invoices", "header": "Subject", "action": "hold"})",
    R"("mode": "capture",)"
  );
  EXPECT_EQ(
    run(reception()),
    "Q1 10.0.0.7 <app@a.test> <bob@b.test>:\n"
    "  closed                  reject    no: recipients does not match\n"
    "  invoices                hold      not known yet: header; rules behind it do not speak before\n"
    "  => decided by its header, which a log does not tell\n"
    "  => captured: mode capture lets no mail out\n"
    "messages: 1, recipients: 1\n"
    "  closed                  reject    0\n"
    "  invoices                hold      0\n"
    "  1 are kept in by the mode\n"
    "  1 wait for their header, which a log does not tell\n"
  );
  EXPECT_THAT(
    run(reception("", "x@[192.0.2.1]")),
    HasSubstr("<x@[192.0.2.1]>:\n  => refused whatever rules say: 550 5.1.2")
  );
}

TEST_F(Replay, JudgesReceptionsAnewAndPassesOverTheRest) {
  settings(R"({"name": "closed", "recipients": ["c.test"], "tls": "off", "action": "reject"},
    {"name": "fine", "helo": ["app"], "action": "accept"},
    {"name": "invoices", "header": "Subject", "action": "hold"})");
  const auto text = run(
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"a@a.test","recipients":["x@c.test","y@b.test"],"size":7})"
    "\n"
    R"({"event":"reception","queue_id":"Q2","client":"10.0.0.7","helo":"x","tls_version":"TLSv1.3","sender":"","recipients":["x@c.test"],"size":7})"
    "\nno record\n[]\n"
    R"({"event":"delivery","queue_id":"Q1"})"
    "\n"
  );
  EXPECT_THAT(text, HasSubstr("Q1 10.0.0.7 <a@a.test> <x@c.test>: refused (rule closed): 550 5.7.1"));
  EXPECT_THAT(text, Not(HasSubstr("y@b.test"))) << "nothing happens to it";
  EXPECT_THAT(text, Not(HasSubstr("Q2")));
  EXPECT_THAT(text, HasSubstr("messages: 2, recipients: 3\n"));
  EXPECT_THAT(text, HasSubstr("closed                  reject    1\n"));
  EXPECT_THAT(text, HasSubstr("fine                    accept    1\n"));
  EXPECT_THAT(text, HasSubstr("1 wait for their header"));
  EXPECT_THAT(text, Not(HasSubstr("whatever rules say")));
}

}  // namespace
}  // namespace relay::ctl

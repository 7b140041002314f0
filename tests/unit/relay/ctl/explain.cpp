#include "relay/ctl/explain.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "tests/support/folder.hpp"

namespace relay::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Explain : public ::testing::Test {
 protected:
  Explain() {
    request.settings_file = folder.path("relay.json");
    request.client = "10.0.0.7";
    request.sender = "app@a.test";
    request.recipients = {"bob@b.test"};
    settings(R"({"name": "closed", "recipients": ["c.test"], "action": "reject"},
      {"name": "invoices", "header": "Subject", "header_value": "*invoice*", "action": "hold"},
      {"name": "large", "larger_than": "1k", "action": "redirect", "redirect_to": "big@d.test"},
      {"name": "rest", "action": "route", "smarthost": "primary"})");
  }
  /// @param more  settings before the others, each with its comma
  void settings(const std::string& rules, const std::string& more = "") {
    std::ofstream(request.settings_file)
      << "{" << more
      << R"("allowed_networks": ["10.0.0.0/8"], "smarthosts": [{"name": "primary", "host": "smtp.test",
             "recipient_domains": ["only.test"]}], "policies": [)"
      << rules << "]}";
  }
  std::string run(const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    const auto done = explain(request, in, out);
    return done ? out.str() : "failed: " + done.error().context;
  }

  test::Folder folder;
  ExplainRequest request;
};

TEST_F(Explain, PrintsEachRuleThatWasLookedAtAndWhy) {
  request.size = "10";
  request.headers = {"Subject: hello"};
  const auto text = run();
  EXPECT_THAT(text, HasSubstr("closed                  reject    no: recipients does not match\n"));
  EXPECT_THAT(text, HasSubstr("invoices                hold      no: header does not match\n"));
  EXPECT_THAT(text, HasSubstr("large                   redirect  no: larger_than does not match\n"));
  EXPECT_THAT(text, HasSubstr("rest                    route     yes\n"));
  EXPECT_THAT(text, HasSubstr("=> accepted (rule rest); by smarthost/primary\n"));
}

TEST_F(Explain, JudgesWhoMayRelayAsTheListenerDoes) {
  settings("", R"("auth_users_file": "/users", "auth_requires_tls": "off", "listeners": [
    {"name": "submission", "listen": ["127.0.0.1:2587"], "auth": "required"},
    {"name": "lab", "listen": ["127.0.0.1:2588"], "allowed_networks": ["192.0.2.0/24"]}], )");
  EXPECT_THAT(run(), Not(HasSubstr("refused whatever rules say")));
  request.listener = "submission";
  EXPECT_THAT(run(), HasSubstr("unless it logs in: 530 5.7.0"));
  request.listener = "lab";
  EXPECT_THAT(run(), HasSubstr("refused whatever rules say"));
  request.client = "192.0.2.1";
  EXPECT_THAT(run(), Not(HasSubstr("refused whatever rules say")));
  request.listener = "labs";
  EXPECT_EQ(run(), "failed: the settings know no listener 'labs'");
}

TEST_F(Explain, SaysWhatBecomesOfEachRecipient) {
  request.recipients = {"ann@c.test", "bob@b.test"};
  request.size = "2k";
  request.headers = {"Subject: your invoice"};
  EXPECT_THAT(
    run(),
    HasSubstr("ann@c.test:\n  closed                  reject    yes\n  => refused (rule closed): 550 5.7.1")
  );
  EXPECT_THAT(run(), HasSubstr("=> on hold (rule invoices); released it goes by mx/b.test\n"));
  request.headers = {"Subject: hello"};
  EXPECT_THAT(run(), HasSubstr("=> redirected to big@d.test (rule large); by mx/d.test\n"));
  settings("");
  EXPECT_THAT(run(), HasSubstr("=> accepted, no rule matches; by mx/b.test\n"));
}

TEST_F(Explain, SaysWhatTheModeDoesBehindTheRules) {
  request.size = "10";
  request.headers = {"Subject: hello"};
  EXPECT_THAT(run(), Not(HasSubstr("mode")));
  settings("", R"("mode": "capture",)");
  EXPECT_THAT(run(), HasSubstr("by mx/b.test\n  => captured: mode capture lets no mail out\n"));
  settings("", R"("mode": "redirect", "mode_redirect_to": "qa@q.test",)");
  EXPECT_THAT(run(), HasSubstr("=> mode redirect sends it to qa@q.test instead\n"));
  settings("", R"("mode": "allowlist", "mode_allowed": ["c.test"], "mode_others": "reject",)");
  EXPECT_THAT(run(), HasSubstr("=> refused by the mode: 550 5.7.1"));
}

TEST_F(Explain, SaysWhatIsNotKnownYet) {
  const auto text = run();
  EXPECT_THAT(text, HasSubstr("not known yet: header; rules behind it do not speak before\n"));
  EXPECT_THAT(text, Not(HasSubstr("large"))) << "it was not looked at";
  EXPECT_THAT(text, HasSubstr("=> decided at the end of data"));
}

TEST_F(Explain, SaysThatRulesOpenNothing) {
  request.client = "192.0.2.1";
  EXPECT_THAT(run(), HasSubstr("refused whatever rules say: 550 5.7.1 Relaying denied"));
  settings("", R"("auth_users_file": "/etc/users", "auth_requires_tls": "off", )");
  EXPECT_THAT(run(), HasSubstr("refused whatever rules say, unless it logs in: 550 5.7.1 Relaying denied"));
}

TEST_F(Explain, KnowsWhoHidesClientsByTheListOfNodesToo) {
  const auto path = folder.path("nodes");
  settings("", R"("hidden_sources_file": ")" + path + R"(", )");
  EXPECT_THAT(run(), Not(HasSubstr("refused whatever rules say")));
  std::ofstream(path) << "# nodes\n10.0.0.7\n";
  EXPECT_THAT(run(), HasSubstr("client 10.0.0.7: refused whatever rules say: 550 5.7.1"));
}

TEST_F(Explain, SaysThatNoRuleOpensAnAddressLiteral) {
  request.recipients = {"bob@[192.0.2.1]", "bob@b.test"};
  const auto text = run();
  EXPECT_THAT(text, HasSubstr("bob@[192.0.2.1]:\n  => refused whatever rules say: 550 5.1.2"));
  EXPECT_THAT(text, HasSubstr("bob@b.test:\n  closed ")) << "and goes on with the others";
}

TEST_F(Explain, SaysOfALogThatNoRuleOpensAnAddressLiteral) {
  request.replay_file = "-";
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

TEST_F(Explain, SaysWhatGoesOnAndThatALimitDependsOnTheCount) {
  settings(R"({"name": "fast", "action": "limit", "limit_rate": "10/1m"},
    {"name": "tag", "header": "Subject", "action": "add_header", "field_name": "X-Tag", "field_value": "yes"},
    {"name": "rename", "action": "rewrite_sender", "new_sender": "noreply@a.test"},
    {"name": "copy", "users": ["app"], "action": "copy", "copy_to": "archive@a.test"})");
  auto text = run();
  EXPECT_THAT(
    text,
    HasSubstr("fast                    limit     yes; depends on the count, above it: 451 4.7.1 Limit fast")
  );
  EXPECT_THAT(text, HasSubstr("tag                     add_header not known yet: header; rules go on\n"));
  EXPECT_THAT(
    text, HasSubstr("rename                  rewrite_sender yes; the sender becomes noreply@a.test\n")
  );
  EXPECT_THAT(text, HasSubstr("copy                    copy      no: users does not match\n"));
  EXPECT_THAT(text, HasSubstr("=> accepted, no rule decides; by mx/b.test\n"));
  request.user = "app";
  EXPECT_THAT(run(), HasSubstr("copy                    copy      yes; a copy goes to archive@a.test\n"));
}

TEST_F(Explain, SaysWhoMayNotSendAsWhom) {
  const std::string bindings =
    R"("sender_bindings": [{"name": "own", "users": ["app"], "senders": ["a.test"], "header_from": "on"}], )";
  settings("", R"("auth_users_file": "/users", "auth_requires_tls": "off", )" + bindings);
  EXPECT_THAT(run(), HasSubstr("sender <app@a.test>: refused whatever rules say: 553 5.7.1 "));
  request.user = "app";
  EXPECT_THAT(run(), Not(HasSubstr("refused")));
  request.headers = {"From: boss@bank.test"};
  EXPECT_THAT(run(), HasSubstr("header: refused whatever rules say: 550 5.7.1 From in the header"));
  request.replay_file = "-";
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

TEST_F(Explain, CountsInALogWhatGoesOn) {
  request.replay_file = "-";
  settings(R"({"name": "fast", "action": "limit", "limit_rate": "10/1m"},
    {"name": "closed", "recipients": ["c.test"], "action": "reject"})");
  const auto text = run(
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"a@a.test","recipients":["x@c.test","y@b.test"],"size":7})"
    "\n"
  );
  EXPECT_THAT(text, HasSubstr("fast                    limit     2 counted; whether it refuses depends on"));
  EXPECT_THAT(text, HasSubstr("closed                  reject    1\n"));
}

/// A line of a log. @param more  further fields, each with its comma
std::string reception(const std::string& more = "", const std::string& recipient = "bob@b.test") {
  return R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","helo":"app","sender":"app@a.test",)"
         R"("recipients":[")" +
         recipient + R"("],"size":7)" + more + "}\n";
}

TEST_F(Explain, SaysOfALogWhoMayNoLongerRelay) {
  request.replay_file = "-";
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
  std::ofstream(request.settings_file) << R"({"allowed_networks": ["192.0.2.0/24"],
    "smarthosts": [{"name": "primary", "host": "smtp.test"}]})";
  EXPECT_THAT(run(reception()), HasSubstr("refused whatever rules say: 550 5.7.1"));
  EXPECT_THAT(run(reception(R"(,"user":"app")")), HasSubstr("refused whatever rules say: 550 5.7.1"))
    << "these settings have no users";
}

TEST_F(Explain, SaysOfALogWhoHasToLogInNow) {
  request.replay_file = "-";
  settings("", R"("auth_users_file": "/users", "auth_requires_tls": "off", "listeners": [
    {"name": "submission", "listen": ["127.0.0.1:2587"], "auth": "required"}], )");
  EXPECT_THAT(
    run(reception(R"(,"listener":"submission")")),
    HasSubstr("refused whatever rules say, unless it logs in: 530 5.7.0")
  );
  EXPECT_THAT(run(reception(R"(,"listener":"submission","user":"app")")), Not(HasSubstr("refused")));
}

TEST_F(Explain, SaysOfALogWhatTheModeDoes) {
  request.replay_file = "-";
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

TEST_F(Explain, SaysThatALogDoesNotTellTheHeaderThatBindingsCover) {
  request.replay_file = "-";
  settings(
    "",
    R"("sender_bindings": [{"name": "own", "clients": ["10.0.0.7"], "senders": ["a.test"], "header_from": "on"}], )"
  );
  EXPECT_THAT(run(reception()), HasSubstr("From in the header, which sender bindings cover, is not judged"));
}

TEST_F(Explain, JudgesInALogWhomTheClientNamed) {
  request.replay_file = "-";
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

TEST_F(Explain, SaysOfALogWhatGoesOnAndIsDone) {
  request.replay_file = "-";
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

TEST_F(Explain, PrintsOfALogEachRuleThatWasLookedAtAndWhyWhenAsked) {
  request.replay_file = "-";
  request.is_verbose = true;
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

TEST_F(Explain, SaysWhatIsWrongWithItsQuestion) {
  request.client = "here";
  EXPECT_THAT(run(), HasSubstr("failed: "));
  request.client = "10.0.0.7";
  request.recipients = {};
  EXPECT_EQ(run(), "failed: name --client and --to, or --replay");
  request.settings_file = folder.path("missing");
  EXPECT_EQ(run(), "failed: cannot read the settings in " + request.settings_file);
}

TEST_F(Explain, SaysWhatIsWrongWithTheSettings) {
  settings(R"({"name": "a", "action": "throw"})");
  EXPECT_THAT(run(), HasSubstr("[0].action: 'throw' is not accepted"));
}

TEST_F(Explain, JudgesALogAnew) {
  request.replay_file = "-";
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
  request.replay_file = folder.path("log");
  EXPECT_EQ(run(), "failed: cannot read the log in " + request.replay_file);
}

}  // namespace
}  // namespace relay::ctl

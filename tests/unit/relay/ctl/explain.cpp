#include "relay/ctl/explain.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "tests/unit/relay/ctl/rule_file.hpp"

namespace relay::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Explain : public RuleFile {
 protected:
  Explain() {
    request.settings_file = settings_file;
    request.client = "10.0.0.7";
    request.sender = "app@a.test";
    request.recipients = {"bob@b.test"};
    settings(R"({"name": "closed", "recipients": ["c.test"], "action": "reject"},
      {"name": "invoices", "header": "Subject", "header_value": "*invoice*", "action": "hold"},
      {"name": "large", "larger_than": "1k", "action": "redirect", "redirect_to": "big@d.test"},
      {"name": "rest", "action": "route", "smarthost": "primary"})");
  }
  std::string run(const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    const auto done = explain(request, in, out);
    return done ? out.str() : "failed: " + done.error().context;
  }

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

TEST_F(Explain, ReadsALogFromAFileOrFromWhatItIsGiven) {
  const std::string record =
    R"({"event":"reception","queue_id":"Q1","client":"10.0.0.7","sender":"a@a.test","recipients":["x@c.test"]})"
    "\n";
  request.replay_file = "-";
  EXPECT_THAT(run(record), HasSubstr("Q1 10.0.0.7 <a@a.test> <x@c.test>: refused (rule closed)"));
  request.replay_file = folder.path("log");
  EXPECT_EQ(run(), "failed: cannot read the log in " + request.replay_file);
  std::ofstream(request.replay_file) << record;
  EXPECT_THAT(run(), HasSubstr("Q1 10.0.0.7 <a@a.test> <x@c.test>: refused (rule closed)"));
  request.is_verbose = true;
  EXPECT_THAT(run(), HasSubstr("  closed                  reject    yes\n"));
}

}  // namespace
}  // namespace relay::ctl

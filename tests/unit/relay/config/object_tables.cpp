#include "relay/config/object_tables.hpp"

#include <gmock/gmock.h>
#include <set>

namespace relay::config {
namespace {

using ::testing::HasSubstr;

/// One field: its default, the outermost texts that it takes, and some that it does not.
struct Edges {
  std::string_view key;
  std::string_view default_value;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

const std::vector<std::string> kGoodDomains{"", "*", "example.org,*.example.org"};
const std::vector<std::string> kBadDomains{"*.*", "a b"};
const std::vector<std::string> kGoodPaths{"", "/a"};
const std::vector<std::string> kBadPaths{"a", "./a"};
const std::vector<std::string> kGoodRates{"", "1/1ms", "100/1m"};
const std::vector<std::string> kBadRates{"100", "0/1m", "1/0s"};
const std::vector<std::string> kGoodLabels{"a", "a-1"};
const std::vector<std::string> kBadLabels{"", "a.b", "-a", std::string(64, 'a')};

/// Each field of a table as `edges` say; none of the table is left out.
template <class Object>
void expect_edges(const std::vector<Edges>& edges) {
  std::set<std::string_view> seen;
  for (const auto& edge : edges) {
    SCOPED_TRACE(edge.key);
    const auto fields = fields_of<Object>();
    const auto field =
      std::find_if(fields.begin(), fields.end(), [&](const auto& one) { return one.doc.key == edge.key; });
    ASSERT_NE(field, fields.end());
    EXPECT_TRUE(seen.insert(edge.key).second);
    EXPECT_EQ(field->doc.default_value, edge.default_value);
    Object object;
    if (!field->is_required) {
      EXPECT_TRUE(field->set(object, edge.default_value));
      EXPECT_EQ(field->get(object), edge.default_value) << "or print() would write every default";
    }
    for (const auto& good : edge.good) {
      EXPECT_TRUE(field->set(object, good)) << good;
      EXPECT_EQ(field->get(object), good);
    }
    const auto before = object;
    for (const auto& bad : edge.bad) EXPECT_FALSE(field->set(object, bad)) << bad;
    EXPECT_EQ(object, before);
  }
  EXPECT_EQ(seen.size(), fields_of<Object>().size());
}
template <class Object>
std::string required() {
  std::string keys;
  for (const auto& field : fields_of<Object>())
    if (field.is_required) keys += (keys.empty() ? "" : " ") + std::string(field.doc.key);
  return keys;
}
/// What is wrong with an array of one such object, as one reads it in a fault.
template <auto Member>
std::string wrong(const std::string& json) {
  Settings settings;
  const auto set = set_objects<Member>(settings, "[" + json + "]");
  return set ? "" : set.error().context;
}
std::string wrong_smarthost(const std::string& more) {
  return wrong<&Settings::smarthosts>(
    R"({"name": "a", "host": "a.test")" + (more.empty() ? "" : ", " + more) + "}"
  );
}

std::string wrong_listener(const std::string& more) {
  return wrong<&Settings::listeners>(R"({"name": "a", )" + more + "}");
}

TEST(ObjectTables, AcceptOfAListener) {
  EXPECT_EQ(required<Listener>(), "name listen");
  expect_edges<Listener>({
    {"name", "", kGoodLabels, kBadLabels},
    {"listen", "", {"0.0.0.0:2526", "0.0.0.0:2526,[::1]:2526"}, {"", "here"}},
    {"tls", "optional", {"none", "optional", "required", "implicit"}, {"", "opportunistic"}},
    {"auth", "optional", {"optional", "required"}, {"", "none"}},
    {"allowed_networks", "", {"", "10.0.0.0/8,2001:db8::/32"}, {"10.0.0.1/8", "here"}},
    {"proxy_protocol", "on", {"on", "off"}, {"", "yes"}},
  });
}

TEST(ObjectTables, KnowOnWhichPortOnlyImplicitTlsIsSpoken) {
  EXPECT_THAT(
    wrong_listener(R"("listen": "0.0.0.0:465")"), HasSubstr("[0]: port 465 speaks TLS from the first octet")
  );
  EXPECT_EQ(wrong_listener(R"("listen": "0.0.0.0:465", "tls": "implicit")"), "");
  EXPECT_EQ(wrong_listener(R"("listen": "0.0.0.0:587")"), "");
  EXPECT_THAT(
    wrong<&Settings::listeners>(R"({"name": "smtp", "listen": "0.0.0.0:587"})"),
    HasSubstr("[0]: the name 'smtp' is that of `listen`")
  );
}

TEST(ObjectTables, AcceptOfASmarthost) {
  EXPECT_EQ(required<Smarthost>(), "name host");
  expect_edges<Smarthost>({
    {"name", "", kGoodLabels, kBadLabels},
    {"host", "", {"a", "a.test", "192.0.2.1", "2001:db8::1"}, {"", "a b", "a:25", "[::1]", "-a"}},
    {"port", "587", {"1", "65535"}, {"0", "65536", "", "x"}},
    {"priority", "10", {"0", "1000"}, {"1001", "-1"}},
    {"weight", "1", {"1", "1000"}, {"0", "1001"}},
    {"recipient_domains", "", kGoodDomains, kBadDomains},
    {"sender_domains", "", kGoodDomains, kBadDomains},
    {"tls", "required", {"none", "opportunistic", "required", "implicit"}, {"", "encrypted"}},
    {"tls_min_version", "1.2", {"1.2", "1.3"}, {"1.1", ""}},
    {"server_name", "", {"", "a.test"}, {"a b"}},
    {"ca", "", kGoodPaths, kBadPaths},
    {"client_certificate", "", kGoodPaths, kBadPaths},
    {"client_key", "", kGoodPaths, kBadPaths},
    {"auth",
     "passwd_client",
     {"passwd_client", "none", "any", "plain", "login", "scram-sha-256", "xoauth2"},
     {"", "PLAIN"}},
    {"username_file", "", kGoodPaths, kBadPaths},
    {"password_file", "", kGoodPaths, kBadPaths},
    {"token_url", "", {"", "https://a/b"}, {"https://", "http://a/b", "a"}},
    {"token_scope", "", {"", "a b"}, {}},
    {"client_id_file", "", kGoodPaths, kBadPaths},
    {"client_secret_file", "", kGoodPaths, kBadPaths},
    {"refresh_token_file", "", kGoodPaths, kBadPaths},
    {"max_connections", "20", {"1", "1000"}, {"0", "1001"}},
    {"messages_per_connection", "100", {"1", "100000"}, {"0", "100001"}},
    {"connect_timeout", "30s", {"100ms", "10m"}, {"99ms", "10m1s"}},
    {"message_rate", "", kGoodRates, kBadRates},
  });
}

TEST(ObjectTables, AcceptOfADkimKey) {
  EXPECT_EQ(required<DkimKey>(), "domain selector key");
  expect_edges<DkimKey>({
    {"domain", "", {"example.org"}, {"a b", "*.example.org"}},
    {"selector", "", {"a", "2026.a"}, {"a b"}},
    {"key", "", {"/a"}, {"", "a"}},
    {"senders", "", kGoodDomains, kBadDomains},
    {"headers", "", {"", "From,To"}, {}},
    {"canonicalization",
     "relaxed/relaxed",
     {"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"},
     {"", "relaxed", "simple/"}},
    {"expires", "", {"", "1h", "720h"}, {"59m", "720h1s"}},
  });
}

TEST(ObjectTables, AcceptOfADestination) {
  EXPECT_EQ(required<DestinationRule>(), "");
  expect_edges<DestinationRule>({
    {"domains", "", kGoodDomains, kBadDomains},
    {"providers", "", {"", "a,b"}, {}},
    {"max_connections", "", {"", "1", "1000"}, {"0", "1001"}},
    {"message_rate", "", kGoodRates, kBadRates},
    {"connection_rate", "", kGoodRates, kBadRates},
    {"retry_initial_delay", "", {"", "100ms", "24h"}, {"99ms", "24h1s"}},
    {"retry_max_delay", "", {"", "100ms", "24h"}, {"99ms", "24h1s"}},
    {"retry_max_age", "", {"", "1s", "720h"}, {"999ms", "720h1s"}},
    {"retry_warn_after", "", {"", "0s", "720h"}, {"720h1s"}},
    {"tls", "", {"", "none", "opportunistic", "policy", "required"}, {"implicit"}},
    {"source_pool", "", {"", "a"}, {}},
  });
}

TEST(ObjectTables, AcceptOfAProvider) {
  EXPECT_EQ(required<Provider>(), "name mx");
  expect_edges<Provider>({
    {"name", "", kGoodLabels, kBadLabels},
    {"mx", "", {"mx.example.org", "*.example.org"}, kBadDomains},
    {"max_connections", "100", {"1", "1000"}, {"0", "1001", ""}},
    {"message_rate", "", kGoodRates, kBadRates},
  });
}

TEST(ObjectTables, AcceptOfASource) {
  EXPECT_EQ(required<Source>(), "name address");
  expect_edges<Source>({
    {"name", "", kGoodLabels, kBadLabels},
    {"pool", "default", kGoodLabels, kBadLabels},
    {"address", "", {"192.0.2.1", "2001:db8::1"}, {"", "a.test", "192.0.2.0/24", "192.0.2.1:25"}},
    {"weight", "1", {"1", "1000"}, {"0", "1001"}},
    {"helo_name", "", {"", "a.test"}, {"a b"}},
    {"messages_a_day", "", {"", "0", "50,100,200"}, {"50,x", "-1"}},
    {"warm_up_from",
     "",
     {"", "2026-11-25", "2024-02-29"},
     {"2026-11", "2026-13-01", "2026-00-10", "2026-01-00", "2026-02-29", "2026-1-001", "26-11-2025",
      "25.11.2026", "2026-11-25 "}},
  });
}

TEST(ObjectTables, AcceptOfAPolicyRule) {
  EXPECT_EQ(required<PolicyRule>(), "name action");
  const std::vector<std::string> good_patterns{
    "", "*", "<>,*@a.test", "\xc3\xa4@a.test", std::string(320, '*')
  };
  const std::vector<std::string> bad_patterns{"a b", "a\tb", "a\x7f", std::string(321, '*')};
  expect_edges<PolicyRule>({
    {"name", "", kGoodLabels, kBadLabels},
    {"clients", "", {"", "10.0.0.0/8,2001:db8::/32"}, {"10.0.0.1/8", "a"}},
    {"helo", "", good_patterns, bad_patterns},
    {"senders", "", good_patterns, bad_patterns},
    {"recipients", "", good_patterns, bad_patterns},
    {"tls", "", {"", "on", "off"}, {"true"}},
    {"larger_than", "", {"", "0", "10Mi"}, {"big"}},
    {"header", "", {"", "X-A_1"}, {"a b", "a:", std::string(65, 'a')}},
    {"header_value", "*", {"a, b", "*"}, {"", " a", "a\r\n", std::string(321, 'a')}},
    {"action",
     "",
     {"accept", "reject", "defer", "discard", "hold", "redirect", "route", "limit", "add_header",
      "remove_header", "rewrite_sender", "set_priority", "copy"},
     {"", "Accept", "deliver"}},
    {"reply",
     "",
     {"", "550 No", "550 5.7.1 No", "451 4.7.1 Later", "450 Later", "559 " + std::string(400, 'x')},
     {"550", "550 5.7.1", "550 4.7.1 No", "250 OK", "521 No", "421 No", "No", "550 \xc3\xa4",
      "559 " + std::string(401, 'x')}},
    {"redirect_to", "", {"", "a@b.test"}, {"a", "a@[192.0.2.1]", "Postmaster"}},
    {"smarthost", "", {"", "a-1"}, {"a.b"}},
    {"listeners", "", good_patterns, bad_patterns},
    {"users", "", good_patterns, bad_patterns},
    {"authenticated", "", {"", "on", "off"}, {"true"}},
    {"limit_rate", "", {"", "1/1s", "100/720h"}, {"0/1s", "1/0s", "1", "1/721h", "100/1d"}},
    {"limit_key", "", {"", "client", "user", "sender", "sender_domain"}, {"helo"}},
    {"limit_unit", "", {"", "messages", "recipients"}, {"octets"}},
    {"field_name", "", {"", "X-A_1"}, {"a b", "a:", "Received", "rEceived", std::string(65, 'a')}},
    {"field_value",
     "",
     {"", "a, b: c", std::string(512, 'a')},
     {" a", "a ", "a\r\nBcc: x@y.test", "a\nb", "a\rb", "\xc3\xa4", std::string(513, 'a')}},
    {"new_sender", "", {"", "a@b.test"}, {"<>", "a", "a@[192.0.2.1]"}},
    {"new_from", "", {"", "on", "off"}, {"true"}},
    {"priority", "", {"", "normal", "bulk"}, {"unset", "high"}},
    {"copy_to", "", {"", "a@b.test"}, {"a", "a@b.test, c@d.test"}},
  });
}

TEST(ObjectTables, AcceptOfASenderBinding) {
  EXPECT_EQ(required<SenderBinding>(), "name senders");
  expect_edges<SenderBinding>({
    {"name", "", kGoodLabels, kBadLabels},
    {"users", "", {"", "app-*"}, {"a b"}},
    {"clients", "", {"", "10.0.0.0/8"}, {"10.0.0.1/8"}},
    {"senders", "", {"a.test,*@b.test"}, {"a b"}},
    {"header_from", "off", {"on", "off"}, {"", "true"}},
  });
}

TEST(ObjectTables, AcceptOfAMilter) {
  EXPECT_EQ(required<Milter>(), "name host port");
  expect_edges<Milter>({
    {"name", "", kGoodLabels, kBadLabels},
    {"host", "", {"a.test", "10.0.0.1", "2001:db8::1"}, {"", "a b", "unix:/run/x", "[::1]"}},
    {"port", "", {"1", "65535"}, {"", "0", "65536"}},
    {"on_failure", "defer", {"defer", "accept", "reject"}, {"", "tempfail", "Defer"}},
    {"connect_timeout", "5s", {"1s", "10s"}, {"0s", "999ms", "11s"}},
    {"command_timeout", "15s", {"1s", "1m"}, {"0s", "61s"}},
    {"message_timeout", "1m", {"1s", "2m"}, {"0s", "121s"}},
  });
}

TEST(Smarthost, NeedsImplicitTlsOnPort465) {
  EXPECT_THAT(wrong_smarthost(R"("port": 465)"), HasSubstr("[0]: port 465 speaks TLS from the first octet"));
  EXPECT_EQ(wrong_smarthost(R"("port": 465, "tls": "implicit")"), "");
  EXPECT_EQ(wrong_smarthost(""), "");
}

TEST(Smarthost, NeedsCertificateAndKeyTogether) {
  EXPECT_THAT(wrong_smarthost(R"("client_certificate": "/c")"), HasSubstr("are needed together"));
  EXPECT_THAT(wrong_smarthost(R"("client_key": "/k")"), HasSubstr("are needed together"));
  EXPECT_EQ(wrong_smarthost(R"("client_certificate": "/c", "client_key": "/k")"), "");
}

TEST(Smarthost, NeedsForAuthTlsUserAndPassword) {
  const std::string files = R"("username_file": "/u", "password_file": "/p")";
  for (const auto* auth : {"any", "plain", "login", "scram-sha-256"}) {
    const auto with = R"("auth": ")" + std::string(auth) + R"(", )";
    EXPECT_EQ(wrong_smarthost(with + files), "") << auth;
    EXPECT_THAT(
      wrong_smarthost(with + files + R"(, "tls": "opportunistic")"), HasSubstr("never go in clear")
    );
    EXPECT_THAT(wrong_smarthost(with + R"("password_file": "/p")"), HasSubstr("auth needs username_file"));
    EXPECT_THAT(wrong_smarthost(with + R"("username_file": "/u")"), HasSubstr("auth needs password_file"));
  }
  EXPECT_EQ(wrong_smarthost(R"("auth": "none", "tls": "none")"), "");
}

TEST(Smarthost, NeedsForXoauth2ATokenEndpoint) {
  std::string fields = R"("auth": "xoauth2", "username_file": "/u")";
  EXPECT_THAT(wrong_smarthost(fields), HasSubstr("xoauth2 needs token_url"));
  fields += R"(, "token_url": "https://login.test/")";
  EXPECT_THAT(wrong_smarthost(fields), HasSubstr("xoauth2 needs client_id_file"));
  fields += R"(, "client_id_file": "/i")";
  EXPECT_THAT(wrong_smarthost(fields), HasSubstr("needs client_secret_file or refresh_token_file"));
  EXPECT_EQ(wrong_smarthost(fields + R"(, "client_secret_file": "/s")"), "");
  EXPECT_EQ(wrong_smarthost(fields + R"(, "refresh_token_file": "/r")"), "");
}

TEST(Objects, ThatStandForNothingAreRefused) {
  EXPECT_THAT(wrong<&Settings::destinations>(R"({"tls": "none"})"), HasSubstr("needs domains or providers"));
  EXPECT_THAT(
    wrong<&Settings::providers>(R"({"name": "p", "mx": []})"), HasSubstr("needs at least one name in mx")
  );
  EXPECT_THAT(
    wrong<&Settings::dkim>(R"({"domain": "", "selector": "s", "key": "/k"})"),
    HasSubstr("needs a domain and a selector")
  );
}

TEST(Source, NeedsForItsWarmUpBothFields) {
  const std::string source = R"({"name": "s", "address": "192.0.2.1")";
  EXPECT_THAT(
    wrong<&Settings::sources>(source + R"(, "messages_a_day": [1]})"), HasSubstr("are needed together")
  );
  EXPECT_THAT(
    wrong<&Settings::sources>(source + R"(, "warm_up_from": "2026-11-25"})"), HasSubstr("are needed together")
  );
  EXPECT_EQ(
    wrong<&Settings::sources>(source + R"(, "messages_a_day": [1], "warm_up_from": "2026-11-25"})"), ""
  );
}

TEST(Objects, ThatAreWrongLeaveTheSettingAlone) {
  Settings settings;
  ASSERT_TRUE(set_objects<&Settings::providers>(settings, R"([{"name": "p", "mx": "*.p.test"}])"));
  const auto before = settings;
  EXPECT_FALSE(
    set_objects<&Settings::providers>(settings, R"([{"name": "q", "mx": "*.q.test"}, {"name": "r"}])")
  );
  EXPECT_EQ(settings, before);
}

}  // namespace
}  // namespace relay::config

#include "relay/net/resolver.hpp"

#include <array>
#include <atomic>
#include <fstream>

#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/name_server.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;

using test::mx_rdata;
using test::NameServer;
using test::wire_name;

/// The root's key of 2017, as its publisher gives it.
constexpr const char* kRootKey =
  ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";

class ResolverTest : public ::testing::Test {
 protected:
  void TearDown() override { loop.thread.stop(); }
  ResolverFiles files(const std::string& resolv_conf, const std::string& hosts) {
    std::ofstream(folder.path("resolv.conf")) << resolv_conf;
    std::ofstream(folder.path("hosts")) << hosts;
    ResolverFiles files;
    files.resolv_conf = folder.path("resolv.conf");
    files.hosts = folder.path("hosts");
    files.root_key = folder.path("root.key");
    return files;
  }
  /// As on a node whose resolver is `server`, which knows no DNSSEC, and with the root's key.
  ResolverFiles files(const NameServer& server) {
    EXPECT_TRUE(server.is_bound());
    std::ofstream(folder.path("root.key")) << kRootKey;
    return files("nameserver " + server.host() + "\nsearch mail.test\n", "192.0.2.7 hosts.example.org\n");
  }
  static std::string text(const Result<std::vector<IpAddress>>& found) {
    if (!found) return std::string(name(found.error().code));
    std::string text;
    for (const auto& address : *found) text += (text.empty() ? "" : " ") + address.to_text();
    return text;
  }

  /// Status, security, canonical name and records of any answer, or the error.
  template <class Record>
  static std::string text(const Result<DnsRecords<Record>>& answer) {
    if (!answer) return std::string(name(answer.error().fate)) + ": " + answer.error().message();
    static constexpr const char* kStatus[] = {"found", "no_data", "no_such_domain"};
    std::string text = kStatus[static_cast<std::size_t>(answer->status)];
    if (answer->is_secure) text += " secure";
    if (!answer->canonical.empty()) text += " -> " + answer->canonical;
    for (const auto& record : answer->records) text += " " + to_text(record);
    return text;
  }
  static std::string to_text(const MxRecord& record) {
    return std::to_string(record.preference) + ":" + record.host;
  }
  static std::string to_text(const TlsaRecord& record) {
    return std::to_string(record.usage) + std::to_string(record.selector) + std::to_string(record.matching) +
           record.data;
  }
  static std::string to_text(const IpAddress& address) { return address.to_text(); }
  static std::string to_text(const std::string& record) { return "'" + record + "'"; }

  test::Folder folder;
  test::Loop loop;
};

TEST_F(ResolverTest, ReturnsAnAddressAsItIs) {
  Resolver resolver(loop.thread.context(), files("", ""));
  EXPECT_EQ(text(loop.run(resolver.lookup("10.1.40.40", 5s))), "10.1.40.40");
  EXPECT_EQ(text(loop.run(resolver.lookup("2001:db8::1", 5s))), "2001:db8::1");
}

TEST_F(ResolverTest, HonoursTheHostsFile) {
  Resolver resolver(
    loop.thread.context(), files("", "192.0.2.7 smarthost smarthost.example\n2001:db8::7 smarthost.example\n")
  );
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.7 2001:db8::7");
}

TEST_F(ResolverTest, AsksTheNodesResolversAlsoForPrivateNames) {
  NameServer server;
  ASSERT_TRUE(server.is_bound());
  server.add("smarthost.mail.test", kTypeA, "\x0a\x01\x28\x28");
  Resolver resolver(
    loop.thread.context(), files("nameserver " + server.host() + "\nsearch mail.test\noptions ndots:1\n", "")
  );
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.mail.test", 10s))), "10.1.40.40")
    << "libunbound denies .test by itself";
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost", 10s))), "10.1.40.40") << "by the search list";
  EXPECT_EQ(text(loop.run(resolver.lookup("nobody.mail.test", 10s))), "name_not_found");
}

TEST_F(ResolverTest, TakesUpChangedFiles) {
  Resolver resolver(loop.thread.context(), files("", "192.0.2.7 smarthost.example\n"));
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.7");
  (void)files("", "192.0.2.8 smarthost.example\n# longer than before\n");
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.8");
}

TEST_F(ResolverTest, GoesByOtherFilesFromWhenItIsToldSo) {
  auto some = files("", "192.0.2.7 smarthost.example\n");
  Resolver resolver(loop.thread.context(), some);
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.7");
  some.hosts = folder.path("other-hosts");
  std::ofstream(some.hosts) << "192.0.2.9 smarthost.example  # and a line that is longer\n";
  resolver.use(some);
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.9");
}

TEST_F(ResolverTest, GivesUpAtTheDeadline) {
  // A resolver that never answers: nobody listens there, and UDP tells nobody.
  test::Folder silent;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  auto address = test::Peer::loopback(53);
  inet_pton(AF_INET, "127.98.1.1", &address.sin_addr);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  Resolver resolver(loop.thread.context(), files("nameserver 127.98.1.1\n", ""));
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 300ms))), "timed_out");
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 300ms))), "timed_out")
    << "and is of use afterwards";
  close(fd);
}

TEST_F(ResolverTest, TellsWhatEachLookupCameTo) {
  NameServer server;
  server.add("mail.test", kTypeMx, mx_rdata(20, "b.mail.test"));
  server.add("host.mail.test", kTypeA, "\x0a\x01\x28\x28");
  std::array<std::atomic<int>, 3> seen{};
  Resolver resolver(loop.thread.context(), files(server), [&seen](DnsOutcome outcome) {
    ++seen[static_cast<std::size_t>(outcome)];
  });
  const auto counts = [&seen] { return std::array{seen[0].load(), seen[1].load(), seen[2].load()}; };
  (void)loop.run(resolver.lookup("10.1.40.40", 5s));
  EXPECT_EQ(counts(), (std::array{0, 0, 0})) << "an address needs no lookup";
  (void)loop.run(resolver.mx("mail.test", 10s));
  (void)loop.run(resolver.addresses("host.mail.test", 10s));
  (void)loop.run(resolver.lookup("host.mail.test", 10s));
  EXPECT_EQ(counts(), (std::array{3, 0, 0})) << "IPv4 alone is something";
  (void)loop.run(resolver.mx("nobody.mail.test", 10s));
  (void)loop.run(resolver.lookup("nobody.mail.test", 10s));
  EXPECT_EQ(counts(), (std::array{3, 2, 0}));
  Resolver deaf(loop.thread.context(), files("nameserver 127.98.1.9\n", ""), [&seen](DnsOutcome outcome) {
    ++seen[static_cast<std::size_t>(outcome)];
  });
  (void)loop.run(deaf.mx("mail.test", 300ms));
  EXPECT_EQ(counts(), (std::array{3, 2, 1}));
}

TEST_F(ResolverTest, FindsMailExchangersBestFirstCase126) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("mail.test", kTypeMx, mx_rdata(20, "b.mail.test"))
    .add("mail.test", kTypeMx, mx_rdata(5, "A.mail.test"));
  server.add("public.example.org", kTypeMx, mx_rdata(1, "mx_1.example.org"));
  server.add("null.test", kTypeMx, mx_rdata(0, "."));
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.mail.test 20:b.mail.test");
  EXPECT_EQ(text(loop.run(resolver.mx("Mail.Test.", 10s))), "found 5:a.mail.test 20:b.mail.test");
  EXPECT_EQ(text(loop.run(resolver.mx("public.example.org", 10s))), "found 1:mx_1.example.org")
    << "the root's keys can't be had: insecure, not bogus";
  EXPECT_EQ(text(loop.run(resolver.mx("null.test", 10s))), "found 0:.");
}

TEST_F(ResolverTest, TellsAbsenceFromFailureCase126) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("host.example.org", kTypeA, "\x0a\x01\x28\x28");
  server.add("dangling.example.org", kTypeCname, wire_name("nothing.example.org"));
  server.fail("broken.example.org", 2);
  server.fail("refused.example.org", 5);
  server.fail("silent.example.org", -1);
  EXPECT_EQ(text(loop.run(resolver.mx("host.example.org", 10s))), "no_data");
  EXPECT_EQ(text(loop.run(resolver.mx("nobody.example.org", 10s))), "no_such_domain");
  EXPECT_EQ(
    text(loop.run(resolver.mx("dangling.example.org", 10s))), "no_such_domain -> nothing.example.org"
  );
  for (const auto* name : {"broken.example.org", "refused.example.org"}) {
    EXPECT_EQ(
      text(loop.run(resolver.mx(name, 15s))),
      "transient: look up MX " + std::string(name) + ": SERVFAIL (unavailable)"
    );
  }
  EXPECT_EQ(
    text(loop.run(resolver.mx("silent.example.org", 300ms))),
    "transient: look up MX silent.example.org: timed out (timed_out)"
  );
}

TEST_F(ResolverTest, FollowsAliasesAndLeavesLoopsOfThemCase126) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("alias.test", kTypeCname, wire_name("Second.test"));
  server.add("second.test", kTypeCname, wire_name("real.test"));
  server.add("real.test", kTypeMx, mx_rdata(7, "mx.test")).add("real.test", kTypeA, "\x0a\x01\x28\x28");
  server.add("a.test", kTypeCname, wire_name("b.test")).add("b.test", kTypeCname, wire_name("a.test"));
  EXPECT_EQ(text(loop.run(resolver.mx("alias.test", 10s))), "found -> real.test 7:mx.test");
  EXPECT_EQ(text(loop.run(resolver.addresses("alias.test", 10s))), "found -> real.test 10.1.40.40");
  EXPECT_EQ(text(loop.run(resolver.alias("alias.test", 10s))), "found 'second.test'");
  EXPECT_EQ(text(loop.run(resolver.alias("real.test", 10s))), "no_data");
  const auto loops = loop.run(resolver.mx("a.test", 15s));
  EXPECT_EQ(text(loops), "transient: look up MX a.test: SERVFAIL (unavailable)");
}

TEST_F(ResolverTest, IsNotHurtByManyRecordsNorByBrokenOnesCase126) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  for (std::size_t i = 1000; i-- > 0;) server.add("many.test", kTypeMx, mx_rdata(i, "m" + std::to_string(i)));
  server.add("broken.test", kTypeMx, std::string("\0", 1))
    .add("broken.test", kTypeMx, mx_rdata(1, "mx.test"));
  server.add("odd.test", kTypeMx, mx_rdata(3, "two words")).add("odd.test", kTypeMx, mx_rdata(1, "10.0.0.1"));
  const auto many = loop.run(resolver.mx("many.test", 10s));
  ASSERT_TRUE(many) << many.error().message();
  EXPECT_EQ(many->records.size(), 100U);
  EXPECT_EQ(many->records.front().host, "m0");
  EXPECT_EQ(many->records.back().host, "m99");
  const auto broken = loop.run(resolver.mx("broken.test", 10s));
  EXPECT_EQ(text(broken), "transient: look up MX broken.test: SERVFAIL (unavailable)")
    << "nobody can say where the next record begins";
  EXPECT_EQ(text(loop.run(resolver.mx("odd.test", 10s))), R"(found 1:10.0.0.1 3:two\032words)");
}

TEST_F(ResolverTest, AsksAgainForWhatMayNotBeKeptCase126) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.set_ttl(0);
  server.add("mail.test", kTypeMx, mx_rdata(5, "a.test"));
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.test");
  server.add("mail.test", kTypeMx, mx_rdata(6, "b.test"));
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.test 6:b.test");
}

TEST_F(ResolverTest, LooksHostsOfDomainsUpWithoutTheNodesOwnNames) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("host.mail.test", kTypeA, "\x0a\x01\x28\x28").add("host.mail.test", kTypeA, "\x0a\x01\x28\x29");
  server.add("host.mail.test", kTypeAaaa, std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\1');
  server.add("text.mail.test", kTypeTxt, "\1x");
  auto both = loop.run(resolver.addresses("host.mail.test", 10s));
  ASSERT_TRUE(both && both->records.size() == 3);
  EXPECT_EQ(both->records.back().to_text(), "2001:db8::1");
  EXPECT_EQ(text(loop.run(resolver.addresses("host", 10s))), "no_such_domain") << "no search list";
  EXPECT_EQ(text(loop.run(resolver.addresses("hosts.example.org", 10s))), "no_such_domain")
    << "no hosts file";
  EXPECT_EQ(text(loop.run(resolver.addresses("text.mail.test", 10s))), "no_data");
  EXPECT_EQ(text(loop.run(resolver.lookup("hosts.example.org", 10s))), "192.0.2.7") << "smarthosts have both";
}

TEST_F(ResolverTest, GivesTheAddressesThatItHasWhenOneFamilyFails) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("half.test", kTypeA, "\x0a\x01\x28\x28").fail_type("half.test", kTypeAaaa, 2);
  server.add("slow.test", kTypeA, "\x0a\x01\x28\x28").fail_type("slow.test", kTypeAaaa, -1);
  server.add("none.test", kTypeTxt, "\1x").fail_type("none.test", kTypeAaaa, 2);
  EXPECT_EQ(text(loop.run(resolver.addresses("half.test", 15s))), "found 10.1.40.40");
  EXPECT_EQ(text(loop.run(resolver.addresses("slow.test", 1s))), "found 10.1.40.40");
  EXPECT_EQ(
    text(loop.run(resolver.addresses("none.test", 15s))),
    "transient: look up AAAA none.test: SERVFAIL (unavailable)"
  );
}

TEST_F(ResolverTest, ReadsTlsaAndTxt) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  server.add("_25._tcp.mx.test", kTypeTlsa, "\3\1\1abc").add("_mta-sts.test", kTypeTxt, "\4v=ST\4Sv1;");
  EXPECT_EQ(text(loop.run(resolver.tlsa("_25._tcp.mx.test", 10s))), "found 311abc");
  EXPECT_EQ(text(loop.run(resolver.tlsa("_25._tcp.none.test", 10s))), "no_such_domain");
  EXPECT_EQ(text(loop.run(resolver.txt("_mta-sts.test", 10s))), "found 'v=STSv1;'");
}

TEST_F(ResolverTest, AsksNobodyForWhatIsNoHostNameCase050) {
  NameServer server;
  Resolver resolver(loop.thread.context(), files(server));
  for (const std::string& name :
       {std::string("10.1.2.3"), std::string("[10.1.2.3]"), std::string("::1"), std::string("a b"),
        std::string(), std::string("."), std::string("a..b"), std::string(64, 'a') + ".test",
        std::string("\xc3\xa4.test")}) {
    const auto refused = loop.run(resolver.addresses(name, 10s));
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_EQ(refused.error().fate, Fate::permanent);
  }
  EXPECT_EQ(server.asked(), 0);
}

TEST_F(ResolverTest, WorksWithoutAnyTrustAnchor) {
  NameServer server;
  auto paths = files(server);
  paths.root_key = folder.path("missing");
  Resolver resolver(loop.thread.context(), paths);
  server.add("example.org", kTypeMx, mx_rdata(5, "a.example.org"));
  EXPECT_EQ(text(loop.run(resolver.mx("example.org", 10s))), "found 5:a.example.org");
}

TEST_F(ResolverTest, FailsWhereKeysArePromisedAndWithheld) {
  NameServer server;
  auto paths = files(server);
  paths.is_dnssec_required = true;
  paths.unsigned_zones = {"inside.example.org"};
  Resolver resolver(loop.thread.context(), paths);
  for (const auto* name : {"example.org", "inside.example.org", "mail.test"})
    server.add(name, kTypeMx, mx_rdata(5, "a.example.org"));
  const auto bogus = loop.run(resolver.mx("example.org", 15s));
  ASSERT_FALSE(bogus);
  EXPECT_EQ(bogus.error().code, Errc::corrupt);
  EXPECT_EQ(bogus.error().fate, Fate::transient);
  EXPECT_TRUE(bogus.error().context.starts_with("look up MX example.org: DNSSEC: bogus: "))
    << bogus.error().context;
  EXPECT_EQ(text(loop.run(resolver.mx("inside.example.org", 10s))), "found 5:a.example.org");
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.example.org") << "a private zone";
}

TEST_F(ResolverTest, StopsWithoutATrustAnchorThatWasPromised) {
  NameServer server;
  auto paths = files(server);
  paths.trust_anchors = {folder.path("corp.key")};
  Resolver resolver(loop.thread.context(), paths);
  server.add("mail.test", kTypeMx, mx_rdata(5, "a.test"));
  EXPECT_EQ(
    text(loop.run(resolver.mx("mail.test", 10s))), "transient: look up mail.test: the trust anchor " +
                                                     folder.path("corp.key") + " can't be read (unavailable)"
  );
  std::ofstream(folder.path("corp.key")) << "nonsense\n";
  const auto nonsense = loop.run(resolver.mx("mail.test", 10s));
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, Errc::unavailable);
  std::ofstream(folder.path("corp.key")) << "corp.test. IN DS 1 13 2 " << std::string(64, 'A') << "\n";
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.test");
  std::filesystem::remove(folder.path("corp.key"));
  EXPECT_EQ(text(loop.run(resolver.mx("mail.test", 10s))), "found 5:a.test") << "the last good one serves on";
}

}  // namespace
}  // namespace relay::net

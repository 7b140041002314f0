#include "relay/net/tls.hpp"

#include <gmock/gmock.h>

#include "relay/net/stream.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/tls_peer.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;
using test::Certificate;
using test::CertificateWish;
using test::make_certificate;
using test::TlsPeer;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kName = "mail.example";

CertificateWish named(const std::string& name) {
  CertificateWish wish;
  wish.name = name;
  wish.alternative = "DNS:" + name;
  return wish;
}

CertificateWish expired() {
  CertificateWish wish;
  wish.first_day = -10;
  wish.last_day = -1;
  return wish;
}

CertificateWish weak() {
  CertificateWish wish;
  wish.rsa_bits = 1024;
  return wish;
}

CertificateWish with_common_name_only() {
  CertificateWish wish;
  wish.alternative.clear();
  return wish;
}

TlsDemand demand(Verify verify, std::vector<TlsaRecord> tlsa = {}) {
  TlsDemand demand;
  demand.server_name = kName;
  demand.verify = verify;
  demand.tlsa = std::move(tlsa);
  return demand;
}

TlsaRecord dane_ee(const Certificate& certificate) {
  return {3, 1, 1, test::sha256(test::public_key(certificate))};
}
TlsaRecord dane_ta(const Certificate& authority) { return {2, 0, 1, test::sha256(test::der(authority))}; }

/// What start_tls said, and Stream::last_tls_failure() behind it.
struct Shaken {
  Result<TlsInfo> info;
  std::optional<TlsFault> fault;
};

class TlsTest : public ::testing::Test {
 protected:
  test::Loop loop;
  test::Acceptor acceptor;
  test::Folder folder;
  Certificate authority = test::make_authority("our authority");
  Certificate right = make_certificate({}, &authority);

  TlsClientSettings settings() {
    TlsClientSettings settings;
    settings.ca_file = file("ca.pem", test::pem(authority));
    return settings;
  }
  std::string file(const std::string& name, const std::string& text) {
    test::write_text(folder.path(name), text);
    return folder.path(name);
  }
  Shaken shake(std::shared_ptr<TlsClient> client, TlsDemand wanted, milliseconds timeout = 10s) {
    auto stream = loop.run(Stream::connect(*IpAddress::parse("127.0.0.1"), acceptor.port(), 5s));
    EXPECT_TRUE(stream);
    auto info = loop.run(stream->start_tls(std::move(client), std::move(wanted), timeout));
    auto fault = stream->last_tls_failure();
    net::ask(loop.thread, [&stream] { const Stream gone(std::move(*stream)); });
    return {std::move(info), std::move(fault)};
  }
  /// One handshake with a peer of this certificate.
  Shaken shake(const Certificate& certificate, const TlsDemand& wanted, const test::TlsPeerWish& wish = {}) {
    TlsPeer peer(acceptor, certificate, wish);
    auto shaken = shake(*TlsClient::make(settings()), wanted);
    EXPECT_EQ(peer.seen().is_ready, shaken.info.has_value());
    return shaken;
  }
  /// Who vouched for the peer: `certificate`, `dane-ee`, `none`, or the result type of a report.
  std::string verdict(const Certificate& certificate, const TlsDemand& wanted) {
    return verdict(shake(certificate, wanted));
  }
  static std::string verdict(const Shaken& shaken) {
    if (!shaken.info) {
      EXPECT_EQ(shaken.info.error().code, Errc::tls_failed);
      EXPECT_TRUE(shaken.fault);
      const std::string type(to_result_type(shaken.fault ? shaken.fault->kind : TlsFailure::dane_required));
      EXPECT_THAT(shaken.info.error().context, HasSubstr("(" + type + ")"));
      return type;
    }
    EXPECT_FALSE(shaken.fault);
    EXPECT_EQ(shaken.info->is_verified, shaken.info->how != VerifiedBy::none);
    return std::string(name(shaken.info->how));
  }
};

TEST_F(TlsTest, JudgesACertificateByWhatIsDemandedCase131) {
  const auto other = test::make_authority("another authority");
  struct Row {
    const char* what;
    Certificate certificate;
    const char* by_certificate;
    const char* by_record;
  };
  const Row rows[] = {
    {"right", right, "certificate", "dane-ee"},
    {"of another authority", make_certificate({}, &other), "certificate-not-trusted", "dane-ee"},
    {"self-signed", make_certificate({}), "certificate-not-trusted", "dane-ee"},
    {"expired", make_certificate(expired(), &authority), "certificate-expired", "dane-ee"},
    {"of another name", make_certificate(named("other.example"), &authority), "certificate-host-mismatch",
     "dane-ee"},
    {"of a name in part", make_certificate(named("m*.example"), &authority), "certificate-host-mismatch",
     "dane-ee"},
    {"with a weak key", make_certificate(weak(), &authority), "certificate-not-trusted",
     "certificate-not-trusted"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(verdict(row.certificate, demand(Verify::none)), "none") << row.what;
    EXPECT_EQ(verdict(row.certificate, demand(Verify::certificate)), row.by_certificate) << row.what;
    const auto by_record = demand(Verify::dane, {dane_ee(row.certificate)});
    EXPECT_EQ(verdict(row.certificate, by_record), row.by_record) << row.what;
  }
}

TEST_F(TlsTest, TellsWhatIsNotProvenAndGoesOnWhereItIsTestedCase130) {
  auto tested = demand(Verify::certificate);
  tested.is_tested = true;
  const auto unproven = shake(make_certificate(named("other.example"), &authority), tested);
  ASSERT_TRUE(unproven.info) << unproven.info.error().message();
  EXPECT_FALSE(unproven.info->is_verified);
  ASSERT_TRUE(unproven.fault);
  EXPECT_EQ(unproven.fault->kind, TlsFailure::certificate_host_mismatch);
  EXPECT_EQ(verdict(make_certificate({}, &authority), tested), "certificate");
}

TEST_F(TlsTest, SaysWhoseCertificateFailed) {
  const auto shaken = shake(make_certificate(expired(), &authority), demand(Verify::certificate));
  ASSERT_FALSE(shaken.info);
  EXPECT_EQ(shaken.fault->subject, "CN=mail.example");
  EXPECT_EQ(shaken.fault->issuer, "CN=our authority");
  EXPECT_EQ(
    shaken.info.error().context,
    "TLS with mail.example: certificate has expired (certificate-expired), certificate of 'CN=mail.example' "
    "by "
    "'CN=our authority'"
  );
}

TEST_F(TlsTest, ShowsNoControlCharactersOfAPeersCertificate) {
  auto wish = named("x\r\ninjected\x1b" + std::string(20, 'y'));
  wish.alternative.clear();
  const auto shaken = shake(make_certificate(wish), demand(Verify::certificate));
  ASSERT_FALSE(shaken.info);
  EXPECT_THAT(shaken.info.error().context, HasSubstr("injected"));
  for (const auto* octet : {"\r", "\n", "\x1b"}) {
    EXPECT_THAT(shaken.info.error().context, Not(HasSubstr(octet)));
  }
}

TEST_F(TlsTest, VerifiesThePinnedNamesAndNotTheServersCase131) {
  auto pinned = demand(Verify::certificate);
  pinned.names = {"next-hop.example", "mx.example."};
  EXPECT_EQ(verdict(right, pinned), "certificate-host-mismatch") << "the server's own name is none of them";
  EXPECT_EQ(verdict(make_certificate(named("mx.example"), &authority), pinned), "certificate");
  EXPECT_EQ(verdict(make_certificate(named("next-hop.example"), &authority), pinned), "certificate");
  TlsPeer peer(acceptor, right);
  shake(*TlsClient::make(settings()), pinned);
  EXPECT_EQ(peer.seen().server_name, kName) << "SNI stays the server's";
}

TEST_F(TlsTest, TakesTheCommonNameOnlyWhereItMay) {
  const auto certificate = make_certificate(with_common_name_only(), &authority);
  auto strict = demand(Verify::certificate);
  EXPECT_EQ(verdict(certificate, strict), "certificate");
  strict.ignores_common_name = true;
  EXPECT_EQ(verdict(certificate, strict), "certificate-host-mismatch");
  EXPECT_EQ(verdict(right, strict), "certificate");
}

TEST_F(TlsTest, VerifiesAnAddressAndSendsNoNameThen) {
  auto wish = named("whatever.example");
  wish.alternative = "IP:127.0.0.1";
  const auto certificate = make_certificate(wish, &authority);
  auto wanted = demand(Verify::certificate);
  wanted.server_name = "127.0.0.1";
  TlsPeer peer(acceptor, certificate);
  EXPECT_EQ(verdict(shake(*TlsClient::make(settings()), wanted)), "certificate");
  EXPECT_EQ(peer.seen().server_name, "");
  EXPECT_EQ(verdict(right, wanted), "certificate-host-mismatch");
}

TEST_F(TlsTest, AcceptsNobodyWhereNoNameIsDemanded) {
  // An empty name is anybody to OpenSSL, a leading dot a whole domain.
  for (const std::string name : {"", ".", ".example", ".mail.example"}) {
    auto wanted = demand(Verify::certificate);
    wanted.server_name.clear();
    wanted.names = {name};
    EXPECT_EQ(verdict(right, wanted), "validation-failure") << name;
    wanted.names = {kName, name};
    EXPECT_EQ(verdict(right, wanted), "validation-failure") << name;
  }
  auto nameless = demand(Verify::certificate);
  nameless.server_name.clear();
  EXPECT_EQ(verdict(right, nameless), "validation-failure");
  auto cut = demand(Verify::certificate);
  cut.server_name = kName + std::string("\0.evil.example", 14);
  EXPECT_EQ(verdict(right, cut), "validation-failure");
}

TEST_F(TlsTest, TrustsNobodyWithoutAuthorities) {
  for (const auto* expected : {"certificate-not-trusted", "dane-ee"}) {
    const bool is_dane = std::string_view(expected) == "dane-ee";
    TlsPeer peer(acceptor, right);
    const auto wanted = is_dane ? demand(Verify::dane, {dane_ee(right)}) : demand(Verify::certificate);
    EXPECT_EQ(verdict(shake(TlsClient::make_without_authorities(), wanted)), expected);
    EXPECT_EQ(peer.seen().is_ready, is_dane);
  }
}

// ---- DANE (RFC 7672) ----

TEST_F(TlsTest, DaneRefusesAKeyThatNoRecordNamesCase129) {
  const auto stranger = make_certificate({}, &authority);
  const auto wanted = demand(Verify::dane, {dane_ee(right)});
  EXPECT_EQ(verdict(stranger, wanted), "tlsa-invalid") << "our authorities do not make up for it";
  EXPECT_EQ(verdict(right, wanted), "dane-ee");
  const auto rolled = demand(Verify::dane, {dane_ee(stranger), dane_ee(right)});
  EXPECT_EQ(verdict(right, rolled), "dane-ee") << "any one record will do: keys roll over";
}

TEST_F(TlsTest, DaneTakesAnAuthorityForTheNamesOfTheHop) {
  const auto anchor = test::make_authority("an authority of their own");
  test::TlsPeerWish wish;
  wish.chain = {anchor};
  auto wanted = demand(Verify::dane, {dane_ta(anchor)});
  EXPECT_EQ(verdict(shake(make_certificate({}, &anchor), wanted, wish)), "dane-ta");
  const auto of_domain = make_certificate(named("example"), &anchor);
  EXPECT_EQ(verdict(shake(of_domain, wanted, wish)), "certificate-host-mismatch");
  wanted.names = {kName, "example"};
  EXPECT_EQ(verdict(shake(of_domain, wanted, wish)), "dane-ta");
  EXPECT_EQ(verdict(shake(make_certificate(expired(), &anchor), wanted, wish)), "certificate-expired");
  EXPECT_EQ(verdict(shake(right, wanted, wish)), "tlsa-invalid") << "our authority is none of theirs";
}

TEST_F(TlsTest, DaneTakesAnAuthorityWhoseCertificateIsInDnsOnly) {
  const auto anchor = test::make_authority("an authority of their own");
  const auto leaf = make_certificate({}, &anchor);
  EXPECT_EQ(verdict(leaf, demand(Verify::dane, {{2, 0, 0, test::der(anchor)}})), "dane-ta");
  EXPECT_EQ(verdict(leaf, demand(Verify::dane, {{2, 1, 0, test::public_key(anchor)}})), "dane-ta");
  EXPECT_EQ(verdict(leaf, demand(Verify::dane, {dane_ta(anchor)})), "tlsa-invalid")
    << "a digest alone is no key";
}

TEST_F(TlsTest, DaneSkipsRecordsThatAreNotUsableCase129) {
  const auto key = test::sha256(test::public_key(right));
  const auto ca = test::sha256(test::der(authority));
  const std::vector<TlsaRecord> unusable{
    {0, 0, 1, ca},    {1, 1, 1, key},
    {255, 1, 1, key}, {3, 2, 1, key},
    {3, 1, 3, key},   {3, 1, 1, key.substr(1)},
    {3, 1, 2, key},   {3, 0, 0, "no certificate"},
    {3, 0, 0, ""},    {2, 1, 0, test::public_key(right) + "x"},
  };
  EXPECT_EQ(count_usable(unusable), 0U);
  EXPECT_EQ(count_usable({}), 0U);
  EXPECT_EQ(verdict(right, demand(Verify::dane, unusable)), "tlsa-invalid")
    << "no handshake, although our authority vouches for this certificate";
  EXPECT_EQ(verdict(right, demand(Verify::dane)), "tlsa-invalid");
  auto with_one = unusable;
  with_one.push_back(dane_ee(right));
  EXPECT_EQ(count_usable(with_one), 1U);
  EXPECT_EQ(verdict(right, demand(Verify::dane, with_one)), "dane-ee");
  with_one.back() = dane_ee(make_certificate({}));
  EXPECT_EQ(verdict(right, demand(Verify::dane, with_one)), "tlsa-invalid")
    << "PKIX-TA and PKIX-EE match nothing";
}

TEST_F(TlsTest, DaneCountsRecordsOfAllUsableKinds) {
  const std::vector<TlsaRecord> usable{
    dane_ee(right),
    dane_ta(authority),
    {3, 0, 2, std::string(64, 'x')},
    {3, 0, 0, test::der(right)},
    {2, 1, 0, test::public_key(authority)},
  };
  EXPECT_EQ(count_usable(usable), usable.size());
}

TEST_F(TlsTest, DaneGoesByTheStrongestDigestCase129) {
  // RFC 7671 section 9: where there is SHA-512, SHA-256 does not count.
  const TlsaRecord wrong{3, 1, 2, std::string(64, 'x')};
  EXPECT_EQ(verdict(right, demand(Verify::dane, {dane_ee(right), wrong})), "tlsa-invalid");
}

// ---- what the client brings ----

TEST_F(TlsTest, ShowsItsCertificateToAPeerThatAsks) {
  auto ours = settings();
  const auto certificate = make_certificate(named("relay.example"), &authority);
  ours.certificate_file = file("relay.pem", test::pem(certificate));
  ours.key_file = file("relay.key", test::key_pem(certificate));
  for (const auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    test::TlsPeerWish wish;
    wish.max_version = version;
    wish.asks_for_certificate = true;
    TlsPeer peer(acceptor, right, wish);
    EXPECT_EQ(verdict(shake(*TlsClient::make(ours), demand(Verify::certificate))), "certificate");
    EXPECT_EQ(peer.seen().client, "relay.example");
  }
}

TEST_F(TlsTest, HasNoCertificateByDefault) {
  test::TlsPeerWish wish;
  wish.asks_for_certificate = true;
  TlsPeer peer(acceptor, right, wish);
  EXPECT_EQ(verdict(shake(*TlsClient::make(settings()), demand(Verify::certificate))), "certificate");
  EXPECT_EQ(peer.seen().client, "");
}

TEST_F(TlsTest, RefusesVersionsBelowItsOwnCase062) {
  struct Row {
    int peer;
    TlsVersion least;
    const char* verdict;
  };
  const Row rows[] = {
    {TLS1_1_VERSION, TlsVersion::tls1_2, "validation-failure"},
    {TLS1_2_VERSION, TlsVersion::tls1_2, "none"},
    {TLS1_2_VERSION, TlsVersion::tls1_3, "validation-failure"},
    {TLS1_3_VERSION, TlsVersion::tls1_3, "none"},
  };
  for (const auto& row : rows) {
    auto ours = settings();
    ours.min_version = row.least;
    test::TlsPeerWish wish;
    wish.max_version = row.peer;
    TlsPeer peer(acceptor, right, wish);
    EXPECT_EQ(verdict(shake(*TlsClient::make(ours), demand(Verify::none))), row.verdict) << row.peer;
    peer.seen();
  }
}

TEST_F(TlsTest, GivesUpOnAPeerThatDoesNotAnswer) {
  const auto shaken = shake(*TlsClient::make(settings()), demand(Verify::none), 50ms);
  ASSERT_FALSE(shaken.info);
  EXPECT_EQ(shaken.info.error().code, Errc::timed_out);
  ASSERT_TRUE(shaken.fault);
  EXPECT_EQ(shaken.fault->kind, TlsFailure::validation_failure);
}

TEST_F(TlsTest, NamesTheFileThatItCannotUseAndNotWhatItHolds) {
  const auto certificate = make_certificate(named("relay.example"), &authority);
  const auto good_certificate = file("good.pem", test::pem(certificate));
  const auto good_key = file("good.key", test::key_pem(certificate));
  const auto other_key = file("other.key", test::key_pem(right));
  const auto locked_key = file("locked.key", test::key_pem(certificate, "passphrase"));
  const auto garbage = file("garbage", "canary: not PEM");
  const auto missing = folder.path("missing");
  struct Row {
    TlsClientSettings settings;
    Errc code;
    std::string words;
  };
  const Row rows[] = {
    {{missing, "", "", {}}, Errc::not_found, missing + "': No such file"},
    {{garbage, "", "", {}}, Errc::invalid_argument, garbage},
    {{"", good_certificate, "", {}}, Errc::invalid_argument, "both"},
    {{"", "", good_key, {}}, Errc::invalid_argument, "both"},
    {{"", missing, good_key, {}}, Errc::not_found, missing},
    {{"", good_certificate, missing, {}}, Errc::not_found, missing},
    {{"", garbage, good_key, {}}, Errc::invalid_argument, garbage},
    {{"", good_certificate, garbage, {}}, Errc::invalid_argument, garbage},
    {{"", good_certificate, other_key, {}}, Errc::invalid_argument, other_key + "': key values mismatch"},
    {{"", good_certificate, locked_key, {}}, Errc::invalid_argument, locked_key},
  };
  for (const auto& row : rows) {
    const auto made = TlsClient::make(row.settings);
    ASSERT_FALSE(made) << row.words;
    EXPECT_EQ(made.error().code, row.code) << made.error().context;
    EXPECT_EQ(made.error().fate, Fate::permanent);
    EXPECT_THAT(made.error().context, HasSubstr(row.words));
    EXPECT_THAT(made.error().context, Not(HasSubstr("canary")));
  }
  EXPECT_TRUE(TlsClient::make({"", good_certificate, good_key, {}})) << "the system's authorities";
}

TEST(TlsFailures, HaveTheWordsOfReports) {
  EXPECT_EQ(to_result_type(TlsFailure::starttls_not_supported), "starttls-not-supported");
  EXPECT_EQ(to_result_type(TlsFailure::sts_webpki_invalid), "sts-webpki-invalid");
}

}  // namespace
}  // namespace relay::net

#include "relay/app/inbound_tls.hpp"

#include <gmock/gmock.h>

#include "relay/config/load.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InboundTlsTest : public ::testing::Test {
 protected:
  /// At the paths that settings() names.
  void write(const test::Certificate& certificate) const {
    test::write_text(folder.path("tls.crt"), test::pem(certificate));
    test::write_text(folder.path("tls.key"), test::key_pem(certificate));
  }
  config::Settings settings(std::map<std::string, std::string> more = {}) const {
    more.insert(
      {{"SMTP_RELAY_TLS_CERTIFICATE_FILE", folder.path("tls.crt")},
       {"SMTP_RELAY_TLS_KEY_FILE", folder.path("tls.key")},
       {"SMTP_RELAY_PASSWD_CLIENT", folder.path("passwd")}}
    );
    const auto loaded = config::load({std::nullopt, "", more});
    for (const auto& fault : loaded.faults) ADD_FAILURE() << fault.to_text();
    return loaded.settings;
  }
  std::shared_ptr<net::TlsServer> make(std::map<std::string, std::string> more = {}) {
    const auto made = settings(std::move(more));
    return tls.make(made, read_files(made).value());
  }
  std::vector<nlohmann::ordered_json> said() const { return log.records("client_tls"); }

  test::Folder folder;
  test::QuietLog log;
  InboundTls tls{log};
};

TEST_F(InboundTlsTest, AreNoneWithoutACertificateOrWhenSwitchedOff) {
  InboundTls none(log);
  EXPECT_EQ(none.make(config::load({}).settings, {}), nullptr);
  write(test::make_certificate({}));
  EXPECT_EQ(make({{"SMTP_RELAY_TLS_MODE", "none"}}), nullptr);
  EXPECT_TRUE(said().empty());
  EXPECT_NE(make(), nullptr);
  EXPECT_EQ(make({{"SMTP_RELAY_TLS_MODE", "none"}}), nullptr);
  EXPECT_NE(make(), nullptr) << "switched on again";
}

TEST_F(InboundTlsTest, StayTheSameAsLongAsNothingChanges) {
  write(test::make_certificate({}));
  const auto first = make();
  EXPECT_EQ(make({{"SMTP_RELAY_MAX_RECIPIENTS", "200"}}), first);
  EXPECT_EQ(make({{"SMTP_RELAY_TLS_MODE", "required"}}), first);
  EXPECT_NE(make({{"SMTP_RELAY_TLS_MIN_VERSION", "1.3"}}), first);
  EXPECT_EQ(said().size(), 2U);
}

TEST_F(InboundTlsTest, BeginWithFilesThatComeLater) {
  EXPECT_EQ(make(), nullptr);
  ASSERT_EQ(said().size(), 1U);
  EXPECT_EQ(said()[0].at("message"), "STARTTLS is not offered");
  EXPECT_THAT(said()[0].at("error").get<std::string>(), HasSubstr("tls.crt"));
  EXPECT_EQ(make(), nullptr);
  EXPECT_EQ(said().size(), 1U) << "it is told once";
  write(test::make_certificate({}));
  EXPECT_NE(make(), nullptr);
  EXPECT_EQ(said().back().at("certificate"), folder.path("tls.crt"));
}

TEST_F(InboundTlsTest, KeepTheLastGoodCertificateCase067) {
  write(test::make_certificate({}));
  const auto good = make();
  test::write_text(folder.path("tls.key"), test::key_pem(test::make_certificate({})));
  EXPECT_EQ(make(), good);
  EXPECT_EQ(make(), good);
  ASSERT_EQ(said().size(), 2U);
  EXPECT_THAT(said()[1].at("error").get<std::string>(), HasSubstr("key values mismatch"));
  EXPECT_EQ(said()[1].at("message"), "the last good certificate stays in force");
  EXPECT_THAT(log.text(), Not(HasSubstr("PRIVATE KEY")));
  std::remove(folder.path("tls.crt").c_str());
  EXPECT_EQ(make(), good);
  write(test::make_certificate({}));
  const auto next = make();
  EXPECT_NE(next, good);
  EXPECT_NE(next, nullptr);
}

TEST_F(InboundTlsTest, MustBeThereWhereTheyAreRequired) {
  EXPECT_TRUE(tls.check(settings()));
  const auto missing = tls.check(settings({{"SMTP_RELAY_TLS_MODE", "required"}}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fate, Fate::permanent);
  for (const auto* words : {"tls_mode is `required`", "tls.crt", "set tls_mode to `opportunistic`"})
    EXPECT_THAT(missing.error().context, HasSubstr(words));
  write(test::make_certificate({}));
  EXPECT_TRUE(tls.check(settings({{"SMTP_RELAY_TLS_MODE", "required"}})));
  (void)make();
  std::remove(folder.path("tls.crt").c_str());
  EXPECT_TRUE(tls.check(settings({{"SMTP_RELAY_TLS_MODE", "required"}}))) << "one is in force";
}

}  // namespace
}  // namespace relay::app

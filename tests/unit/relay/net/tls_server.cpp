#include "relay/net/tls_server.hpp"

#include <gmock/gmock.h>
#include <thread>

#include "relay/net/stream.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/secure_peer.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;
using test::Peer;
using test::SecurePeer;
using test::SecureWish;
using ::testing::HasSubstr;
using ::testing::Not;

Awaitable<Result<std::string>> receive(Stream& stream) {
  auto octets = co_await stream.receive(10s);
  if (!octets) co_return tl::unexpected(octets.error());
  co_return std::string(*octets);
}

test::CertificateWish named(const std::string& name) {
  test::CertificateWish wish;
  wish.name = name;
  return wish;
}

class TlsServerTest : public ::testing::Test {
 protected:
  test::Loop loop;
  test::Acceptor acceptor;
  test::Folder folder;
  std::optional<Stream> stream;  // ours, of the connection that came last

  void TearDown() override { drop(); }

  TlsServerSettings settings(const test::Certificate& certificate = test::make_certificate(named("one"))) {
    return {file("tls.crt", test::pem(certificate)), file("tls.key", test::key_pem(certificate)), {}};
  }
  std::string file(const std::string& name, const std::string& text) {
    test::write_text(folder.path(name), text);
    return folder.path(name);
  }
  void drop() {
    net::ask(loop.thread, [this] { stream.reset(); });
  }

  struct Shaken {
    SecurePeer client;
    Result<TlsInfo> info;
  };
  /// Connects, and both sides shake hands.
  Shaken shake(const std::shared_ptr<TlsServer>& server, const SecureWish& wish = {}) {
    auto client = connect();
    auto info = loop.start(stream->accept_tls(server, 10s));
    SecurePeer secured(std::move(client), wish);
    return {std::move(secured), info.get()};
  }
  /// A client whose other end is `stream`.
  Peer connect() {
    drop();
    auto client = Peer::connect(acceptor.port());
    const auto accepted = acceptor.accept();
    net::ask(loop.thread, [this, fd = dup(accepted.fd())] {
      Socket socket(loop.thread.context());
      socket.assign(tcp::v4(), fd);
      stream.emplace(std::move(socket), *IpAddress::parse("127.0.0.1"));
    });
    return client;
  }
  /// A session that a client may resume: it has read something.
  std::shared_ptr<SSL_SESSION> session_with(const std::shared_ptr<TlsServer>& server, int version) {
    SecureWish wish;
    wish.max_version = version;
    auto [client, info] = shake(server, wish);
    EXPECT_TRUE(info);
    EXPECT_FALSE(client.is_resumed());
    EXPECT_TRUE(loop.run(stream->write_all("250 OK\r\n", 5s)));
    EXPECT_EQ(client.line(), "250 OK");
    return client.session();
  }
  bool resumes(const std::shared_ptr<TlsServer>& server, int version, std::shared_ptr<SSL_SESSION> session) {
    SecureWish wish;
    wish.max_version = version;
    wish.session = std::move(session);
    auto [client, info] = shake(server, wish);
    EXPECT_TRUE(info) << "a session that is not resumed is begun anew";
    return client.is_resumed();
  }
};

TEST_F(TlsServerTest, ServesBothVersionsAndSaysWhatIsUsed) {
  const auto server = *TlsServer::make(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SecureWish wish;
    wish.max_version = version;
    auto [client, info] = shake(server, wish);
    ASSERT_TRUE(info) << info.error().message();
    EXPECT_EQ(info->version, version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(info->version, client.version());
    EXPECT_EQ(info->cipher, client.cipher());
    EXPECT_FALSE(info->is_verified);
    EXPECT_EQ(client.seen(), "one");
    client.send("EHLO app\r\n");
    EXPECT_EQ(loop.run(receive(*stream)), "EHLO app\r\n");
    EXPECT_TRUE(loop.run(stream->write_all("250 ", 5s)));
    EXPECT_TRUE(loop.run(stream->write_all(std::string(100'000, 'x') + "\r\n", 5s)));
    EXPECT_EQ(client.line().size(), 100'004U);
  }
}

TEST_F(TlsServerTest, PrefersTheSuiteThatCostsLeastAndTakesWhatAClientHas) {
  const auto server = *TlsServer::make(settings());
  SecureWish wish;
  wish.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
  EXPECT_EQ(shake(server, wish).info->cipher, "TLS_AES_128_GCM_SHA256");
  for (const auto* only : {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    wish.cipher_suites = only;
    EXPECT_EQ(shake(server, wish).info->cipher, only);
  }
}

TEST_F(TlsServerTest, ResumesSessionsOfBothVersionsByTheirTickets) {
  const auto server = *TlsServer::make(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    EXPECT_TRUE(resumes(server, version, session_with(server, version))) << version;
  EXPECT_EQ(SSL_CTX_sess_number(server->context().native_handle()), 0) << "none is remembered";
}

TEST_F(TlsServerTest, ResumesSessionsThatBeganUnderTheCertificateBefore) {
  const auto before = *TlsServer::make(settings());
  const auto after = *TlsServer::make(settings(test::make_certificate(named("two"))), before.get());
  const auto stranger = *TlsServer::make(settings(test::make_certificate(named("three"))));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto session = session_with(before, version);
    EXPECT_FALSE(resumes(stranger, version, session)) << version;
    EXPECT_TRUE(resumes(after, version, session)) << version;
  }
  EXPECT_EQ(shake(after).client.seen(), "two");
}

TEST_F(TlsServerTest, OutlivesNoConnectionThatUsesIt) {
  auto server = *TlsServer::make(settings());
  auto [client, info] = shake(server);
  ASSERT_TRUE(info);
  server.reset();
  client.send("still there\r\n");
  EXPECT_EQ(loop.run(receive(*stream)), "still there\r\n");
}

TEST_F(TlsServerTest, RefusesVersionsBelowItsOwnCase062) {
  auto wanted = settings();
  const auto lenient = *TlsServer::make(wanted);
  wanted.min_version = TlsVersion::tls1_3;
  const auto strict = *TlsServer::make(wanted);
  SecureWish wish;
  wish.max_version = TLS1_1_VERSION;
  auto old = shake(lenient, wish);
  EXPECT_FALSE(old.client.is_ready());
  EXPECT_EQ(old.info.error().code, Errc::tls_failed);
  wish.max_version = TLS1_2_VERSION;
  auto newer = shake(strict, wish);
  EXPECT_FALSE(newer.client.is_ready());
  EXPECT_THAT(newer.info.error().context, HasSubstr("unsupported protocol"));
  EXPECT_TRUE(shake(strict).info);
}

TEST_F(TlsServerTest, OffersNeitherCompressionNorRenegotiationNorEarlyDataCase062) {
  const auto server = *TlsServer::make(settings());
  auto* context = server->context().native_handle();
  const auto options = SSL_CTX_get_options(context);
  EXPECT_NE(options & SSL_OP_NO_COMPRESSION, 0U);
  EXPECT_NE(options & SSL_OP_NO_RENEGOTIATION, 0U);
  EXPECT_NE(options & SSL_OP_CIPHER_SERVER_PREFERENCE, 0U);
  EXPECT_NE(SSL_CTX_get_mode(context) & SSL_MODE_RELEASE_BUFFERS, 0);
  EXPECT_EQ(SSL_CTX_get_max_early_data(context), 0U);
  const auto* ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    EXPECT_THAT(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)), Not(HasSubstr("RC4")));
    EXPECT_GE(SSL_CIPHER_get_bits(sk_SSL_CIPHER_value(ciphers, i), nullptr), 128);
  }
}

TEST_F(TlsServerTest, TakesAnyServerNameCase061) {
  const auto server = *TlsServer::make(settings());
  for (const auto& name :
       {std::string("node1"), std::string("a\\"), std::string("10.1.2.3"), std::string(255, 'x')}) {
    SecureWish wish;
    wish.server_name = name;
    EXPECT_TRUE(shake(server, wish).info) << name;
  }
}

TEST_F(TlsServerTest, GivesUpOnAClientThatStallsOrTalksInTheClearCase057) {
  const auto server = *TlsServer::make(settings());
  auto silent = connect();
  auto timed_out = loop.run(stream->accept_tls(server, 50ms));
  ASSERT_FALSE(timed_out);
  EXPECT_EQ(timed_out.error().code, Errc::timed_out);
  auto careless = connect();
  careless.send("EHLO app\r\n");
  auto refused = loop.run(stream->accept_tls(server, 10s));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::tls_failed);
  auto gone = connect();
  gone.close();
  auto lost = loop.run(stream->accept_tls(server, 10s));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::connection_lost) << "it said nothing at all";
  loop.run(stream->close_gently());
}

Awaitable<Result<TlsInfo>> read_and_accept(Stream& stream, std::shared_ptr<TlsServer> server) {
  auto read = co_await receive(stream);
  if (!read) co_return tl::unexpected(read.error());
  const std::string early = *read;
  auto info = co_await stream.accept_tls(server, 10s, early);
  co_return info;
}

/// As behind the header of a load balancer, which is read with what follows it.
TEST_F(TlsServerTest, TakesTheBeginOfAHandshakeThatWasReadBefore) {
  const auto server = *TlsServer::make(settings());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto client = connect();
    auto info = loop.start(read_and_accept(*stream, server));
    SecureWish wish;
    wish.max_version = version;
    SecurePeer secured(std::move(client), wish);
    EXPECT_TRUE(secured.is_ready());
    EXPECT_TRUE(info.get());
  }
}

TEST_F(TlsServerTest, SaysInTlsThatNothingMoreComes) {
  const auto server = *TlsServer::make(settings());
  auto [client, info] = shake(server);
  ASSERT_TRUE(info);
  client.send("unread");
  auto closed = loop.start(stream->close_gently());
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.was_closed_in_order());
  client.peer().close();
  closed.get();
}

TEST_F(TlsServerTest, NamesTheFileThatItCannotUseAndNotWhatItHolds) {
  const auto one = test::make_certificate(named("one"));
  const auto two = test::make_certificate(named("two"));
  auto weak = named("weak");
  weak.rsa_bits = 1024;
  const auto certificate = file("one.crt", test::pem(one));
  const auto key = file("one.key", test::key_pem(one));
  struct Row {
    TlsServerSettings settings;
    const char* words;
    Errc code;
  };
  const std::vector<Row> rows{
    {{folder.path("none.crt"), key, {}}, "none.crt", Errc::not_found},
    {{certificate, folder.path("none.key"), {}}, "none.key", Errc::not_found},
    {{certificate, file("two.key", test::key_pem(two)), {}},
     "two.key': key values mismatch",
     Errc::invalid_argument},
    {{certificate, file("locked.key", test::key_pem(one, "word")), {}}, "locked.key", Errc::invalid_argument},
    {{file("junk.crt", "SECRET"), key, {}}, "junk.crt", Errc::invalid_argument},
    {{file("weak.crt", test::pem(test::make_certificate(weak))), key, {}}, "too small", Errc::invalid_argument
    },
  };
  for (const auto& row : rows) {
    const auto made = TlsServer::make(row.settings);
    ASSERT_FALSE(made) << row.words;
    EXPECT_EQ(made.error().code, row.code) << row.words;
    EXPECT_EQ(made.error().fate, Fate::permanent);
    EXPECT_THAT(made.error().context, HasSubstr(row.words));
    EXPECT_THAT(made.error().context, Not(HasSubstr("SECRET")));
  }
}

}  // namespace
}  // namespace relay::net

#pragma once
/// The server's side of one TLS handshake, on a thread of its own.

#include <csignal>
#include <future>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <vector>

#include "tests/support/certificates.hpp"
#include "tests/support/peer.hpp"

namespace relay::test {

struct TlsPeerWish {
  std::vector<Certificate> chain;  // behind the leaf
  int max_version = TLS1_3_VERSION;
  bool asks_for_certificate = false;
};

class TlsPeer {
 public:
  struct Seen {
    bool is_ready = false;
    std::string server_name;
    std::string client;  // common name of its certificate
  };

  /// Accepts one connection.
  TlsPeer(Acceptor& acceptor, const Certificate& certificate, const TlsPeerWish& wish = {})
      : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the client has closed
    auto* context = context_.get();
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_max_proto_version(context, wish.max_version);
    if (wish.asks_for_certificate)
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_use_certificate(context, certificate.x509.get());
    SSL_CTX_use_PrivateKey(context, certificate.key.get());
    for (const auto& link : wish.chain) SSL_CTX_add1_chain_cert(context, link.x509.get());
    seen_ = std::async(std::launch::async, [this, &acceptor] { return serve(acceptor); });
  }

  /// How the handshake ended. Once.
  Seen seen() { return seen_.get(); }

 private:
  Seen serve(Acceptor& acceptor) {
    const auto peer = acceptor.accept();
    const timeval limit{kPeerTimeoutMs / 1000, 0};
    setsockopt(peer.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(ssl.get(), peer.fd());
    Seen seen;
    seen.is_ready = SSL_accept(ssl.get()) == 1;
    if (const auto* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) seen.server_name = name;
    if (auto* client = SSL_get0_peer_certificate(ssl.get())) {
      char name[64] = "";
      X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name, sizeof name);
      seen.client = name;
    }
    ERR_clear_error();
    return seen;
  }

  std::shared_ptr<SSL_CTX> context_;
  std::future<Seen> seen_;
};

}  // namespace relay::test

#pragma once
/// The client's side of TLS over a Peer, on the test's thread. It verifies nothing: a test asks what it saw.

#include <csignal>
#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>

#include "tests/support/peer.hpp"

namespace relay::test {

struct SecureWish {
  int max_version = TLS1_3_VERSION;
  std::shared_ptr<SSL_SESSION> session{};  // to be resumed
  std::string server_name{};
  std::string cipher_suites{};  // of TLS 1.3; empty: OpenSSL's
};

class SecurePeer {
 public:
  /// Shakes hands at once: is_ready() tells how that went.
  explicit SecurePeer(Peer peer, const SecureWish& wish = {})
      : peer_(std::move(peer)),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        ssl_(SSL_new(context_.get()), SSL_free) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the relay has closed
    const timeval limit{kPeerTimeoutMs / 1000, 0};
    setsockopt(peer_.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SSL_set_security_level(ssl_.get(), 0);
    SSL_set_min_proto_version(ssl_.get(), TLS1_VERSION);
    SSL_set_max_proto_version(ssl_.get(), wish.max_version);
    if (!wish.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), wish.server_name.c_str());
    if (!wish.cipher_suites.empty()) SSL_set_ciphersuites(ssl_.get(), wish.cipher_suites.c_str());
    if (wish.session) SSL_set_session(ssl_.get(), wish.session.get());
    SSL_set_fd(ssl_.get(), peer_.fd());
    is_ready_ = SSL_connect(ssl_.get()) == 1;
    ERR_clear_error();
  }

  [[nodiscard]] bool is_ready() const { return is_ready_; }
  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  /// The common name in the relay's certificate.
  [[nodiscard]] std::string seen() const {
    char name[64] = "";
    if (auto* certificate = SSL_get0_peer_certificate(ssl_.get()))
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    return name;
  }
  /// To be resumed by another; with TLS 1.3 once something was read. A copy: OpenSSL gives up the session of a connection
  /// that ends without a word.
  [[nodiscard]] std::shared_ptr<SSL_SESSION> session() const {
    return {SSL_SESSION_dup(SSL_get0_session(ssl_.get())), SSL_SESSION_free};
  }

  void send(std::string_view octets) {
    SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()));
    ERR_clear_error();
  }
  std::string line() {
    auto end = received_.find('\n');
    while (end == std::string::npos && receive()) end = received_.find('\n');
    if (end == std::string::npos) {
      ADD_FAILURE() << "no line came, but: " << received_;
      return std::exchange(received_, {});
    }
    auto text = received_.substr(0, end);
    received_.erase(0, end + 1);
    while (!text.empty() && text.back() == '\r') text.pop_back();
    return text;
  }
  std::string reply() {
    auto text = line();
    while (text.size() > 3 && text[3] == '-') text = line();
    return text;
  }
  std::string rest() {
    while (receive()) {}
    return std::exchange(received_, {});
  }
  /// The relay said in TLS that nothing more comes; asked behind rest().
  [[nodiscard]] bool was_closed_in_order() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  Peer& peer() { return peer_; }

 private:
  bool receive() {
    char buffer[4096];
    const auto count = SSL_read(ssl_.get(), buffer, sizeof buffer);
    ERR_clear_error();
    if (count <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  Peer peer_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool is_ready_ = false;
  std::string received_;
};

}  // namespace relay::test

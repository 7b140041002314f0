#pragma once
/// An HTTPS server for tests with a certificate of its own for 127.0.0.1: each connection is one request and whatever
/// octets the test answers.

#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <thread>

#include "tests/support/folder.hpp"
#include "tests/support/peer.hpp"

namespace relay::test {

class HttpsServer {
 public:
  using Handler = std::function<std::string(const std::string& request)>;

  /// @param handler  called on the server's thread with header and body; returns the whole answer
  /// @param names    what the certificate is for, as OpenSSL writes subjectAltName
  explicit HttpsServer(Handler handler, const std::string& names = "IP:127.0.0.1")
      : handler_(std::move(handler)), key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    sign(names);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the client has closed
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    auto* file = fopen(ca_file().c_str(), "w");
    PEM_write_X509(file, certificate_.get());
    fclose(file);
    listen();
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpsServer() {
    is_stopped_ = true;
    thread_.join();
    close(fd_);
  }
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The authority that signed its certificate.
  [[nodiscard]] std::string ca_file() const { return folder_.path("ca.pem"); }
  [[nodiscard]] int requests() const { return requests_; }

  static std::string answer(const std::string& status, const std::string& body) {
    return "HTTP/1.1 " + status +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

 private:
  template <class T, void (*free)(T*)>
  struct Free {
    void operator()(T* object) const { free(object); }
  };
  template <class T, void (*free)(T*)>
  using Owned = std::unique_ptr<T, Free<T, free>>;

  void sign(const std::string& names) {
    auto* certificate = certificate_.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
    X509_set_pubkey(certificate, key_.get());
    auto* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0
    );
    X509_set_issuer_name(certificate, name);
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key_.get(), EVP_sha256());
  }
  void listen() {
    auto address = Peer::loopback(0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 64), 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  void serve() {
    while (!is_stopped_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, 20) == 1) serve_one(accept(fd_, nullptr, nullptr));
    }
  }
  void serve_one(int fd) {
    const timeval limit{kPeerTimeoutMs / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const Owned<SSL, SSL_free> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), fd);
    if (SSL_accept(tls.get()) == 1) {
      const auto request = read(tls.get());
      ++requests_;
      const auto octets = handler_(request);
      if (!octets.empty()) SSL_write(tls.get(), octets.data(), static_cast<int>(octets.size()));
      SSL_shutdown(tls.get());
    }
    ::close(fd);
  }
  static std::string read(SSL* tls) {
    std::string request;
    char buffer[4096];
    while (!is_whole(request)) {
      const int count = SSL_read(tls, buffer, sizeof buffer);
      if (count <= 0) break;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    return request;
  }
  static bool is_whole(const std::string& request) {
    constexpr std::string_view kLength = "Content-Length: ";
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto length = request.find(kLength);
    const auto body = length < end ? std::stoul(request.substr(length + kLength.size())) : 0;
    return request.size() >= end + 4 + body;
  }

  Handler handler_;
  Folder folder_;
  Owned<EVP_PKEY, EVP_PKEY_free> key_;
  Owned<X509, X509_free> certificate_;
  Owned<SSL_CTX, SSL_CTX_free> context_{SSL_CTX_new(TLS_server_method())};
  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopped_{false};
  std::atomic<int> requests_{0};
  std::thread thread_;
};

}  // namespace relay::test

#pragma once
/// Transport by cpprestsdk. The only header that knows it does not show it.

#include <memory>

#include "operator/kube/credentials.hpp"
#include "operator/kube/transport.hpp"

namespace op::kube {

struct CpprestOptions {
  /// How long a connection may be silent within an exchange. cpprestsdk knows only this limit, for each read.
  milliseconds idle = seconds{30};
  std::string user_agent;
};

/// Tames cpprestsdk; once, before its first use and before there are threads. It runs its handlers on `threads` threads
/// of its own, 40 unless told. And it reads the system's authorities anew for each connection (30 ms, 2 MiB), only to
/// be told by us to trust others: where `access` brings its own, it is made to find none.
void prepare_cpprest(unsigned threads, const Access& access);

/// Keeps one cpprestsdk client for its whole life, with a pool of connections: clients leak when made for each request.
/// New connections read authority and certificate anew; idle ones close after half a minute.
class CpprestTransport : public Transport {
 public:
  /// @param credentials  outlives this
  CpprestTransport(Credentials& credentials, CpprestOptions options);
  /// Behind the end of all calls. Waits until cpprestsdk has let go of what they cancelled, for two seconds at most: its
  /// threads end with the process, and leak what they have not finished.
  ~CpprestTransport() override;
  CpprestTransport(const CpprestTransport&) = delete;
  CpprestTransport& operator=(const CpprestTransport&) = delete;

  relay::Result<Response> send(const Request& request, std::stop_token stop) override;
  relay::Result<Response> stream(const Request& request, const OnBytes& on_bytes, std::stop_token stop)
    override;

 private:
  struct Client;
  Credentials& credentials_;
  std::string user_agent_;
  std::unique_ptr<Client> client_;
};

}  // namespace op::kube

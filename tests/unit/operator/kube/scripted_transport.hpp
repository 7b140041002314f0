#pragma once
/// A Transport that answers from a list and keeps what it was asked. For tests of what stands above a Transport.

#include <deque>
#include <mutex>
#include <vector>

#include "operator/kube/transport.hpp"

namespace op::kube {

class ScriptedTransport : public Transport {
 public:
  /// The next answers, in their order; of a stream: its pieces.
  void answers(unsigned status, std::string body, std::optional<std::uint64_t> retry_after = {}) {
    script_.push_back({Response{status, std::move(body), retry_after}, {}});
  }
  void fails(relay::Errc code) { script_.push_back({relay::transient(code, "scripted"), {}}); }
  void streams(std::vector<std::string> pieces) {
    script_.push_back({Response{200, "", {}}, std::move(pieces)});
  }

  relay::Result<Response> send(const Request& request, std::stop_token) override {
    requests.push_back(request);
    return next().response;
  }
  relay::Result<Response> stream(const Request& request, const OnBytes& on_bytes, std::stop_token) override {
    requests.push_back(request);
    const auto answer = next();
    for (const auto& piece : answer.pieces) {
      if (!on_bytes(piece)) break;
    }
    return answer.response;
  }

  std::vector<Request> requests;

 private:
  struct Scripted {
    relay::Result<Response> response;
    std::vector<std::string> pieces;
  };
  Scripted next() {
    if (script_.empty())
      return {relay::transient(relay::Errc::connection_failed, "the script has ended"), {}};
    auto answer = std::move(script_.front());
    script_.pop_front();
    return answer;
  }
  std::deque<Scripted> script_;
};

}  // namespace op::kube

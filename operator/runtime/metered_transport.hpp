#pragma once
/// A Transport that counts what passes through it.

#include "operator/kube/transport.hpp"
#include "operator/runtime/metrics.hpp"

namespace op::runtime {

class MeteredTransport : public kube::Transport {
 public:
  /// @param inner, metrics  outlive this
  MeteredTransport(kube::Transport& inner, Metrics& metrics) : inner_(inner), metrics_(metrics) {}

  relay::Result<kube::Response> send(const kube::Request& request, std::stop_token stop) override;
  relay::Result<kube::Response> stream(
    const kube::Request& request, const kube::OnBytes& on_bytes, std::stop_token stop
  ) override;

 private:
  kube::Transport& inner_;
  Metrics& metrics_;
};

}  // namespace op::runtime

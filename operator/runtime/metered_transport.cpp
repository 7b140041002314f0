#include "operator/runtime/metered_transport.hpp"

namespace op::runtime {
namespace {

std::string code_of(const relay::Result<kube::Response>& result) {
  // As client-go calls a request without an answer.
  return result ? std::to_string(result->status) : "<error>";
}

}  // namespace

relay::Result<kube::Response> MeteredTransport::send(const kube::Request& request, std::stop_token stop) {
  const auto began = std::chrono::steady_clock::now();
  auto result = inner_.send(request, std::move(stop));
  metrics_.requested(
    std::string(name(request.method)), code_of(result), std::chrono::steady_clock::now() - began
  );
  return result;
}

relay::Result<kube::Response> MeteredTransport::stream(
  const kube::Request& request, const kube::OnBytes& on_bytes, std::stop_token stop
) {
  const auto began = std::chrono::steady_clock::now();
  std::optional<Metrics::Duration> until_headers;
  const auto timed = [&](std::string_view octets) {
    if (!until_headers) until_headers = std::chrono::steady_clock::now() - began;
    return on_bytes(octets);
  };
  auto result = inner_.stream(request, timed, std::move(stop));
  // One that was refused, or found nobody, ended then.
  const auto took = until_headers.value_or(std::chrono::steady_clock::now() - began);
  metrics_.requested(std::string(name(request.method)), code_of(result), took);
  return result;
}

}  // namespace op::runtime

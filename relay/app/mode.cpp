#include "relay/app/mode.hpp"

#include <array>
#include <utility>

namespace relay::app {
namespace {

using metrics::Gauge;
using policy::Mode;

constexpr std::array kGauges{
  std::pair{Mode::deliver, Gauge::mode_deliver}, std::pair{Mode::capture, Gauge::mode_capture},
  std::pair{Mode::redirect, Gauge::mode_redirect}, std::pair{Mode::allowlist, Gauge::mode_allowlist}
};

}  // namespace

void publish_mode(metrics::Registry& metrics, log::Sink& log, policy::Mode mode) {
  const auto before = mode_in(metrics);
  const auto now = policy::to_text(mode);
  if (before != now) {
    log.write(log::warning("mode")
                .with("mode", now)
                .with("before", before)
                .with(
                  "message", mode == Mode::deliver ? "all mail leaves again, but for what is on hold"
                                                   : "not all mail that is accepted leaves by itself"
                ));
  }
  for (const auto& [each, gauge] : kGauges) metrics.set(gauge, each == mode ? 1 : 0);
}

std::string_view mode_in(const metrics::Registry& metrics) {
  for (const auto& [mode, gauge] : kGauges) {
    if (metrics.read(gauge) > 0) return policy::to_text(mode);
  }
  return policy::to_text(Mode::deliver);
}

}  // namespace relay::app

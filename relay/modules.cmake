# The relay's modules, in the order of their arrows: each may use only what stands above it and is named here.

module(relay/base PURE LIBRARIES spdlog::spdlog nlohmann_json::nlohmann_json)
module(relay/mail PURE DEPENDS relay/base)
module(relay/sasl PURE DEPENDS relay/base)
module(relay/smtp PURE DEPENDS relay/mail relay/sasl)
module(relay/policy PURE DEPENDS relay/mail)
module(relay/route PURE DEPENDS relay/smtp)
module(relay/queue PURE DEPENDS relay/route)
module(relay/config PURE DEPENDS relay/smtp relay/policy relay/queue LIBRARIES nlohmann_json::nlohmann_json)

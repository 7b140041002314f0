#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// The relay's pod: all of Pod Security's `restricted`, save the host port, the host path and the init container that
/// hands the spool's folder to the relay's user.
[[nodiscard]] Json pod_template(const Blueprint& blueprint);

/// The relay container's ports, each with the port of the node that leads to it, where one does.
[[nodiscard]] Json container_ports(const api::Spec& spec);

/// The variable SMTP_RELAY_HOSTNAME as spec.helo wants it, where kubelet puts the node's name into the place of a variable;
/// empty where the relay finds the name by itself. The relay reads it at its start alone, so it is no part of relay.json.
[[nodiscard]] std::string host_name(const api::Spec& spec);

/// Seconds between SIGTERM and SIGKILL: lame duck, sessions and flush, and five for the spool.
[[nodiscard]] std::int64_t grace_period(std::chrono::milliseconds drain_time);

}  // namespace op::resources

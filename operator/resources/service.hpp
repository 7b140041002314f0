#pragma once

#include <array>

#include "operator/resources/names.hpp"

namespace op::resources {

/// What the server fills into a Service's spec by itself; everything else of it is ours.
inline constexpr std::array kAssignedToServices{"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"};

/// False where spec.network.service says so: then service() must not exist.
[[nodiscard]] bool wants_service(const api::Spec& spec);

/// The way to the relays for clients in the cluster. Its port's name tells service meshes not to touch SMTP, where the
/// server speaks first.
[[nodiscard]] Json service(const api::SmtpRelay& relay);

}  // namespace op::resources

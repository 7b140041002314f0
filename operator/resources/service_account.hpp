#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// An identity of its own for the relay's pods, with no rights and no token: the relay never asks the API server.
[[nodiscard]] Json service_account(const api::SmtpRelay& relay);

}  // namespace op::resources

#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// False where the user names another one: then service_account() must not exist.
[[nodiscard]] bool wants_service_account(const api::SmtpRelay& relay);

/// The name of the one that the pods have.
[[nodiscard]] std::string service_account_name(const api::SmtpRelay& relay);

/// An identity of its own for the relay's pods, with no rights and no token: the relay never asks the API server.
[[nodiscard]] Json service_account(const api::SmtpRelay& relay);

}  // namespace op::resources

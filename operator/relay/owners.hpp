#pragma once
/// Whose an object is.

#include <string>

#include "operator/kube/object.hpp"

namespace op::smtp_relay {

/// A label or annotation; empty: there is none.
/// @param part  `labels`, `annotations`
[[nodiscard]] std::string metadata_text(const kube::Json& object, const char* part, const std::string& key);

/// The SmtpRelay that a child or pod belongs to: by its owner, or else by its label.
[[nodiscard]] kube::Key owner_of(const kube::Json& object);

/// For which operator an SmtpRelay is; empty: for the one without an id.
[[nodiscard]] std::string controller_id_of(const kube::Json& relay);

}  // namespace op::smtp_relay

#pragma once
/// The relay's settings that are lists of objects, by the fields of relay/config's object tables. What the resource does
/// not say is left out. An empty list is null: not written.

#include "operator/resources/references.hpp"

namespace op::resources {

/// In the order in which they are written: for people who look into relay.json.
using OrderedJson = nlohmann::ordered_json;

[[nodiscard]] OrderedJson smarthosts(const api::Spec& spec);
[[nodiscard]] OrderedJson dkim(const api::Spec& spec);
[[nodiscard]] OrderedJson destinations(const api::Spec& spec);
[[nodiscard]] OrderedJson providers(const api::Spec& spec);
[[nodiscard]] OrderedJson sources(const api::Spec& spec);

}  // namespace op::resources

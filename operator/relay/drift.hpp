#pragma once
/// Whether an object still is what we made it, and what to do when it is not.

#include "operator/relay/plan.hpp"

namespace op::smtp_relay {

/// True when `live` says all that `child` wants, and nothing else in the fields that are exclusively ours. Labels,
/// annotations and owners that others added are theirs to keep; so is the mark of `kubectl rollout restart`.
[[nodiscard]] bool agrees(const Child& child, const Json& live);

/// The digest of a long value, which is text where the value is none; a digest stays as it is.
[[nodiscard]] Json digested(const Json& value);

/// The part of `live` in which nobody else may have a say, without what changes by itself: equal before and after means
/// that nothing of ours changed. Of a digested child it is digests.
[[nodiscard]] Json exclusive_part(const Child& child, const Json& live);

/// `live` with our fields as we want them and everything else of it kept: the body of a replacement.
[[nodiscard]] Json replacement(const Child& child, const Json& live);

}  // namespace op::smtp_relay

#pragma once
/// One DKIM-Signature field (RFC 6376 section 3.5), made of a rule, a header part and the hash of a body.

#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/dkim/field.hpp"
#include "relay/dkim/rule.hpp"

namespace relay::dkim {

/// Instances of fields that `h=` lists at most: more make no signature that verifiers would bear.
inline constexpr std::size_t kMaxSignedFields = 512;

/// An entry of `h=`. Must outlive neither the rule nor the header part.
struct SignedFieldView {
  std::string_view name;
  /// Name, colon and value; empty where the entry says that there is no further one.
  std::string_view whole;
};

/// The entries of `h=` in their order: each name as often as it is present, from the bottom up (section
/// 5.4.2), and oversigned ones once more.
/// Errors: Errc::too_large, permanent, when there are more than kMaxSignedFields.
[[nodiscard]] Result<std::vector<SignedFieldView>> select_fields(
  const Rule& rule, const std::vector<FieldView>& fields
);

/// The field, folded at 78 characters where a fold may stand, with its final CRLF.
/// @param body_hash  32 octets
/// @param time       for `t=`, in whole seconds
/// Errors: as select_fields and Key::sign.
[[nodiscard]] Result<std::string> signature_field(
  const Rule& rule, const std::vector<FieldView>& fields, std::string_view body_hash, WallTime time
);

}  // namespace relay::dkim

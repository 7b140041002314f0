#pragma once
/// Texts for fields of objects that hold no longer ones.

#include <cstddef>
#include <string>

namespace op::kube {

/// `text` where it has at most `limit` octets, else its beginning with " ..." behind it, which has no more. Never cut within a
/// character (UTF-8): a server stores another text then, and what was written would never be what is there.
/// @param limit  at least 4
[[nodiscard]] std::string shortened(std::string text, std::size_t limit);

}  // namespace op::kube

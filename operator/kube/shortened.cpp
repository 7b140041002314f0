#include "operator/kube/shortened.hpp"

#include <string_view>

namespace op::kube {
namespace {

bool continues_a_character(char octet) { return (static_cast<unsigned char>(octet) & 0xC0U) == 0x80U; }

}  // namespace

std::string shortened(std::string text, std::size_t limit) {
  constexpr std::string_view kMore = " ...";
  if (text.size() <= limit) return text;
  auto end = limit - kMore.size();
  while (end > 0 && continues_a_character(text[end])) --end;
  text.resize(end);
  text += kMore;
  return text;
}

}  // namespace op::kube

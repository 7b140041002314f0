#include "relay/outbound/a_label.hpp"

#include <algorithm>
#include <idn2.h>

namespace relay::outbound {

std::optional<std::string> a_label(const std::string& domain) {
  if (std::all_of(domain.begin(), domain.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return domain;
  char* output = nullptr;
  const int failed = idn2_to_ascii_8z(domain.c_str(), &output, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  if (failed != IDN2_OK) return std::nullopt;
  std::string ascii(output);
  idn2_free(output);
  return ascii;
}

}  // namespace relay::outbound

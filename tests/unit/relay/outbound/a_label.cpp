#include "relay/outbound/a_label.hpp"

#include <gtest/gtest.h>

namespace relay::outbound {
namespace {

TEST(ALabel, OfADomainInAsciiIsTheDomain) {
  for (const auto* domain : {"", "example.org", "Example.ORG", "xn--bcher-kva.example", "a_b", "[192.0.2.1]"})
    EXPECT_EQ(a_label(domain), domain);
}

TEST(ALabel, IsWhatTheDnsKnows) {
  EXPECT_EQ(
    a_label("b\xc3\xbc"
            "cher.example"),
    "xn--bcher-kva.example"
  );
  EXPECT_EQ(
    a_label("B\xc3\x9c"
            "CHER.example"),
    "xn--bcher-kva.example"
  ) << "in any case";
  EXPECT_EQ(
    a_label("bu\xcc\x88"
            "cher.example"),
    "xn--bcher-kva.example"
  ) << "composed or not";
  EXPECT_EQ(
    a_label("stra\xc3\x9f"
            "e.example"),
    "xn--strae-oqa.example"
  ) << "not strasse: IDNA 2008";
}

TEST(ALabel, OfWhatIsNoDomainIsNone) {
  EXPECT_EQ(a_label("\xe2\x80\xae.example"), std::nullopt) << "RFC 5892: a control character";
  EXPECT_EQ(a_label("\xff.example"), std::nullopt) << "no UTF-8";
  EXPECT_EQ(a_label(std::string(70, 'a') + "\xc3\xbc.example"), std::nullopt)
    << "a label of more than 63 octets";
}

}  // namespace
}  // namespace relay::outbound

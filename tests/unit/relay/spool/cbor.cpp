#include "relay/spool/cbor.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>

namespace relay::spool {
namespace {

using nlohmann::json;

std::string by_the_library(const json& value) {
  std::string out;
  json::to_cbor(value, out);
  return out;
}

TEST(Cbor, NumbersAreAsShortAsTheLibraryMakesThem) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::int64_t around : {-1, 0, 1}) {
      const auto number = (std::uint64_t{1} << bits) + static_cast<std::uint64_t>(around);
      EXPECT_EQ(CborWriter().number(number).take(), by_the_library(number)) << number;
      const auto negative = static_cast<std::int64_t>(~number);
      EXPECT_EQ(CborWriter().signed_number(negative).take(), by_the_library(negative)) << negative;
    }
  }
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(CborWriter().signed_number(kLeast).take(), by_the_library(kLeast));
}

TEST(Cbor, TextsArraysAndMapsAreWhatTheLibraryMakes) {
  for (const std::size_t size : {0UL, 1UL, 23UL, 24UL, 255UL, 256UL, 65535UL, 65536UL}) {
    const std::string text(size, 'x');
    EXPECT_EQ(CborWriter().text(text).take(), by_the_library(text)) << size;
    const std::vector<std::uint32_t> numbers(size, 7);
    EXPECT_EQ(CborWriter().numbers(numbers).take(), by_the_library(numbers)) << size;
  }
  CborWriter cbor;
  cbor.map(2).text("a").boolean(true).text("b").array(2).boolean(false).text("\xc3\xa9");
  EXPECT_EQ(cbor.take(), by_the_library({{"a", true}, {"b", {false, "\xc3\xa9"}}}));
}

}  // namespace
}  // namespace relay::spool

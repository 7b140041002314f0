#include "relay/smtp/patience.hpp"

#include <gtest/gtest.h>

namespace relay::smtp {
namespace {

using std::chrono_literals::operator""s;

ServerLimits limits() {
  ServerLimits limits;
  limits.idle_timeout = 10s;
  limits.max_errors = 2;
  limits.max_junk = 3;
  return limits;
}

TEST(PatienceWithAClient, EndsWithALineThatTakesTooLong) {
  Patience patience(limits());
  EXPECT_EQ(patience.time_left(), 10s);
  patience.wait(4s, false);
  EXPECT_EQ(patience.time_left(), 10s) << "no line has begun";
  patience.wait(4s, true);
  EXPECT_EQ(patience.time_left(), 6s);
  patience.end_line();
  EXPECT_EQ(patience.time_left(), 10s);
  patience.wait(10s, true);
  EXPECT_EQ(patience.time_left(), 0s);
}

TEST(PatienceWithAClient, IsNotForEverHoweverWholeTheLinesAreCase081) {
  Patience patience(limits());
  for (int i = 0; i < kFruitlessTimes; ++i) {
    EXPECT_GT(patience.time_left(), 0s);
    patience.wait(10s, false);
    patience.end_line();
  }
  EXPECT_EQ(patience.time_left(), 0s);
  patience.begin_anew();
  EXPECT_EQ(patience.time_left(), 10s);
}

TEST(PatienceWithAClient, EndsWithOneErrorTooMany) {
  Patience patience(limits());
  patience.note_error();
  patience.note_error();
  EXPECT_FALSE(patience.has_too_many_errors());
  patience.note_error();
  EXPECT_TRUE(patience.has_too_many_errors());
  patience.begin_anew();
  EXPECT_FALSE(patience.has_too_many_errors());
}

TEST(PatienceWithAClient, TakesCommandsThatDoNothingForErrorsWhenThereAreManyCase029) {
  Patience patience(limits());
  for (int i = 0; i < 3 + 2; ++i) patience.note_junk();
  EXPECT_FALSE(patience.has_too_many_errors());
  patience.note_junk();
  EXPECT_TRUE(patience.has_too_many_errors());
  patience.begin_anew();
  for (int i = 0; i < 3 + 2; ++i) patience.note_junk();
  EXPECT_FALSE(patience.has_too_many_errors()) << "a message forgives these too";
}

}  // namespace
}  // namespace relay::smtp

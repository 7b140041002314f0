#include "relay/base/log.hpp"

#include <gtest/gtest.h>

namespace relay::log {
namespace {

constexpr WallTime kNoon{milliseconds{1'767'268'800'250}};

TEST(LogRecord, IsOneJsonObjectInTheOrderItWasWritten) {
  EXPECT_EQ(
    info("reception").with("queue_id", "1").with("size", 42).to_line(kNoon),
    R"({"time":"2026-01-01T12:00:00.250Z","level":"info","event":"reception","queue_id":"1","size":42})"
  );
}

TEST(LogRecord, CannotBeForgedByWhatAPeerSent) {
  const auto line = info("rejection").with("helo", "x\r\n{\"event\":\"delivery\"}\x1b[2J\xff").to_line(kNoon);
  EXPECT_EQ(line.find_first_of("\r\n\x1b"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

TEST(LogRecord, WritesEachKindOfValueAsTheLibraryDoes) {
  const nlohmann::json object{{"b", 1}, {"a", {true, nullptr}}};
  const std::vector<std::string> texts{"a,b", "\xc3\xa9\"", "\x01\\"};
  const std::string text = "tab\tand \"quotes\" and \xe2\x82\xac";
  const auto record = info("x")
                        .with("object", object)
                        .with("texts", texts)
                        .with("text", text)
                        .with("none", "")
                        .with("yes", true)
                        .with("negative", std::int64_t{-5})
                        .with("large", std::uint64_t{18'446'744'073'709'551'615U})
                        .with("seconds", 0.25)
                        .with("whole", 1.0)
                        .with("small", -1e-9);
  const nlohmann::ordered_json expected{{"event", "x"},    {"object", nlohmann::ordered_json(object)},
                                        {"texts", texts},  {"text", text},
                                        {"none", ""},      {"yes", true},
                                        {"negative", -5},  {"large", 18'446'744'073'709'551'615U},
                                        {"seconds", 0.25}, {"whole", 1.0},
                                        {"small", -1e-9}};
  EXPECT_EQ(record.fields(), expected);
  EXPECT_EQ(record.raw("texts"), expected["texts"].dump());
  EXPECT_EQ(record.raw("text"), expected["text"].dump());
  for (const auto* number : {"seconds", "whole", "small"})
    EXPECT_EQ(record.raw(number), expected[number].dump());
  EXPECT_EQ(record.raw("tex"), "");
}

TEST(LogRecord, GivesAFieldItsNewValueInItsOldPlace) {
  auto record = info("x").with("first", "long enough").with("second", 2).with("third", "3");
  record.with("first", 1).with("third", "three").with("second", "two").with("fourth", 4);
  EXPECT_EQ(
    record.to_line(kNoon),
    R"({"time":"2026-01-01T12:00:00.250Z","level":"info","event":"x","first":1,"second":"two","third":"three","fourth":4})"
  );
  EXPECT_EQ(record.raw("third"), "\"three\"");
  EXPECT_EQ(record.raw("fourth"), "4");
}

TEST(LogRecord, HasOneLineUntilAFieldChanges) {
  auto record = info("x").with("first", 1);
  const std::string line = record.to_line(kNoon);
  EXPECT_EQ(record.to_line(kNoon + std::chrono::hours{1}), line);
  EXPECT_EQ(
    record.with("first", 2).with("second", 2).to_line(kNoon + std::chrono::hours{1}),
    R"({"time":"2026-01-01T13:00:00.250Z","level":"info","event":"x","first":2,"second":2})"
  );
}

}  // namespace
}  // namespace relay::log

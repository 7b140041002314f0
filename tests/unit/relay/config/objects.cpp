#include "relay/config/objects.hpp"

#include <gmock/gmock.h>

#include "relay/config/values.hpp"

namespace relay::config {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;

struct Thing {
  std::string name;
  std::uint64_t size = 0;
  std::vector<std::string> tags;
  friend bool operator==(const Thing&, const Thing&) = default;
};
const std::array kThing{
  Field<Thing>{{"name", Shape::text, "a label", "", ""}, true, label<&Thing::name>, get<&Thing::name>},
  Field<
    Thing>{{"size", Shape::number, "1 to 9", "3", ""}, false, range<&Thing::size, 1ULL, 9ULL>, get<&Thing::size>},
  Field<Thing>{{"tags", Shape::list, "words", "a,b", ""}, false, any<&Thing::tags>, get<&Thing::tags>},
};
Result<std::vector<Thing>> read(std::string_view text) {
  return read_objects(std::span<const Field<Thing>>(kThing), text);
}
std::string write(const std::vector<Thing>& things) {
  return write_objects(std::span<const Field<Thing>>(kThing), things);
}
std::string faults(std::string_view text) {
  const auto things = read(text);
  return things ? "none" : things.error().context;
}
std::string text_of(const char* json, Shape shape) {
  return as_text(ordered_json::parse(json), shape).value_or("another shape");
}

TEST(JsonValue, IsReadAsItsShapeAllows) {
  EXPECT_EQ(text_of(R"("1m")", Shape::text), "1m");
  EXPECT_EQ(text_of("5", Shape::text), "5") << "a size may be a bare number";
  EXPECT_EQ(text_of("5", Shape::number), "5");
  EXPECT_EQ(text_of("1.5", Shape::number), "1.5") << "whether its setting takes that is the setting's affair";
  EXPECT_EQ(text_of(R"("5")", Shape::number), "5");
  EXPECT_EQ(text_of(R"(["a", 5])", Shape::list), "a,5");
  EXPECT_EQ(text_of(R"("a, b")", Shape::list), "a, b");
  EXPECT_EQ(text_of("[]", Shape::list), "");
  EXPECT_EQ(text_of(R"([{"a": 1}])", Shape::objects), R"([{"a":1}])");
  EXPECT_EQ(text_of(R"("[]")", Shape::objects), "[]");
}

TEST(JsonValue, OfAnotherShapeIsNone) {
  for (const auto shape : {Shape::text, Shape::number, Shape::list, Shape::objects}) {
    for (const auto* json : {"null", "true", "-1", R"({"a": 1})"})
      EXPECT_EQ(text_of(json, shape), "another shape") << json << " " << static_cast<int>(shape);
    if (shape != Shape::number) EXPECT_EQ(text_of("1.5", shape), "another shape");
  }
  EXPECT_EQ(text_of("[1]", Shape::text), "another shape");
  EXPECT_EQ(text_of("[[1]]", Shape::list), "another shape");
  EXPECT_EQ(text_of("[true]", Shape::list), "another shape");
  EXPECT_EQ(text_of("5", Shape::objects), "another shape");
}

TEST(JsonValue, IsWrittenInItsShape) {
  EXPECT_EQ(as_json("5", Shape::text).dump(), R"("5")");
  EXPECT_EQ(as_json("5", Shape::number).dump(), "5");
  EXPECT_EQ(as_json("1.5", Shape::number).dump(), "1.5");
  EXPECT_EQ(as_json("", Shape::number).dump(), R"("")") << "an absent number";
  EXPECT_EQ(as_json("a,b", Shape::list).dump(), R"(["a","b"])");
  EXPECT_EQ(as_json("", Shape::list).dump(), "[]");
  EXPECT_EQ(as_json("", Shape::objects).dump(), "[]");
  EXPECT_EQ(as_json(R"([{"a":1}])", Shape::objects).dump(), R"([{"a":1}])");
}

TEST(Objects, HaveDefaultsForWhatIsNotGiven) {
  const auto things = read(R"([{"name": "one"}, {"name": "two", "size": 9, "tags": []}])");
  ASSERT_TRUE(things) << things.error().context;
  EXPECT_THAT(*things, ElementsAre(Thing{"one", 3, {"a", "b"}}, Thing{"two", 9, {}}));
}

TEST(Objects, MayBeNone) {
  for (const auto* text : {"", "  ", "[]"}) EXPECT_TRUE(read(text).value().empty()) << text;
}

TEST(Objects, TellAllFaultsAtOnceWithTheirPlaces) {
  EXPECT_EQ(
    faults(R"([{"name": "one", "size": 10, "colour": 1}, [], {"tags": {"a": 1}}])"),
    "[0].size: '10' is not accepted (outside the accepted range); accepted: 1 to 9; [0].colour: unknown key; "
    "[1]: not an object; [2].tags: '{\"a\":1}' is not accepted (of another shape); accepted: words; "
    "[2].name: is missing"
  );
}

TEST(Objects, AreAnArray) {
  for (const auto* text : {"{}", "null", "[", "name", "\xff"})
    EXPECT_EQ(faults(text), "not a JSON array") << text;
}

TEST(Objects, SayOfAForeignKeyNoMoreThanIsPrintable) {
  EXPECT_EQ(faults("[{\"name\": \"a\", \"x\\ny\": 1}]"), "[0].x?y: unknown key");
}

TEST(Objects, AreWrittenWithoutWhatIsAsByDefault) {
  EXPECT_EQ(write({}), "");
  EXPECT_EQ(write({{"one", 3, {"a", "b"}}}), R"([{"name":"one"}])");
  const std::vector<Thing> things{{"one", 9, {"c"}}, {"two", 3, {}}};
  EXPECT_EQ(write(things), R"([{"name":"one","size":9,"tags":["c"]},{"name":"two","tags":[]}])");
  EXPECT_EQ(read(write(things)).value(), things);
}

}  // namespace
}  // namespace relay::config

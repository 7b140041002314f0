#include "operator/runtime/store.hpp"

#include <gmock/gmock.h>

namespace op::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Json object(const std::string& name, const std::string& version, const std::string& group = "") {
  return {
    {"metadata",
     {{"namespace", "mail"}, {"name", name}, {"resourceVersion", version}, {"managedFields", {1, 2}}}},
    {"group", group},
  };
}

class StoreTest : public ::testing::Test {
 protected:
  std::vector<std::string> told;
  Store store{Store::Options{
    [](Json& value) { value.erase("secret"); },
    [](const Json& value) { return value["group"].get<std::string>(); },
    [this](const Change& change) {
      const auto version = [](const Json* value) {
        return value == nullptr ? "-" : kube::resource_version_of(*value);
      };
      told.push_back(
        kube::key_of(change.any()).name + " " + version(change.before) + ">" + version(change.after)
      );
    },
  }};
};

TEST_F(StoreTest, TellsEachChangeOnceAndHoldsWhatIsLeft) {
  store.upsert(object("a", "1"));
  store.upsert(object("a", "2"));
  store.upsert(object("b", "3"));
  store.erase(object("a", "4"));
  EXPECT_THAT(told, ElementsAre("a ->1", "a 1>2", "b ->3", "a 2>-"));
  EXPECT_FALSE(store.get({"mail", "a"}));
  EXPECT_EQ(store.get({"mail", "b"}).value()["metadata"]["resourceVersion"], "3");
}

TEST_F(StoreTest, DerivesDeletionsFromAListAndTellsNothingOfWhatIsTheSame) {
  store.upsert(object("a", "1"));
  store.upsert(object("b", "2"));
  store.upsert(object("c", "3"));
  told.clear();
  store.replace({object("b", "2"), object("c", "9"), object("d", "4")});
  EXPECT_THAT(told, UnorderedElementsAre("a 1>-", "c 3>9", "d ->4"));
  EXPECT_THAT(store.keys(), UnorderedElementsAre(Key{"mail", "b"}, Key{"mail", "c"}, Key{"mail", "d"}));
}

TEST_F(StoreTest, DoesNotTellOfAnObjectThatCameAgainUnchanged) {
  store.upsert(object("a", "1"));
  store.upsert(object("a", "1"));
  store.erase(object("z", "1"));
  EXPECT_THAT(told, ElementsAre("a ->1"));
}

TEST_F(StoreTest, KeepsNeitherManagedFieldsNorWhatIsTrimmed) {
  auto some = object("a", "1");
  some["secret"] = "x";
  store.upsert(some);
  const auto kept = store.get({"mail", "a"}).value();
  EXPECT_FALSE(kept["metadata"].contains("managedFields"));
  EXPECT_FALSE(kept.contains("secret"));
}

TEST_F(StoreTest, FindsObjectsByTheirGroup) {
  store.upsert(object("a", "1", "x"));
  store.upsert(object("b", "1", "x"));
  store.upsert(object("c", "1", "y"));
  EXPECT_EQ(store.in_group("mail", "x").size(), 2U);
  store.upsert(object("b", "2", "y"));
  EXPECT_EQ(store.in_group("mail", "x").size(), 1U);
  EXPECT_EQ(store.in_group("mail", "y").size(), 2U);
  store.erase(object("c", "3", "y"));
  EXPECT_EQ(store.in_group("mail", "y").size(), 1U);
  EXPECT_THAT(store.in_group("other", "y"), IsEmpty());
}

}  // namespace
}  // namespace op::runtime

#include "operator/runtime/store.hpp"

#include <gmock/gmock.h>
#include <thread>

#include "tests/unit/operator/runtime/whole_list.hpp"

namespace op::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

Json object(
  const std::string& name, const std::string& version, const std::string& group = "",
  const std::string& name_space = "mail"
) {
  return {
    {"metadata",
     {{"namespace", name_space}, {"name", name}, {"resourceVersion", version}, {"managedFields", {1, 2}}}},
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
  std::unique_ptr<Sink> mail = store.feed("mail");
};

TEST_F(StoreTest, TellsEachChangeOnceAndHoldsWhatIsLeft) {
  mail->upsert(object("a", "1"));
  mail->upsert(object("a", "2"));
  mail->upsert(object("b", "3"));
  mail->erase(object("a", "4"));
  EXPECT_THAT(told, ElementsAre("a ->1", "a 1>2", "b ->3", "a 2>-"));
  EXPECT_FALSE(store.get({"mail", "a"}));
  EXPECT_EQ(store.get({"mail", "b"}).value()["metadata"]["resourceVersion"], "3");
}

TEST_F(StoreTest, DerivesDeletionsFromAListAndTellsNothingOfWhatIsTheSame) {
  mail->upsert(object("a", "1"));
  mail->upsert(object("b", "2"));
  mail->upsert(object("c", "3"));
  told.clear();
  give_all(*mail, {object("b", "2"), object("c", "9"), object("d", "4")});
  EXPECT_THAT(told, UnorderedElementsAre("a 1>-", "c 3>9", "d ->4"));
  EXPECT_THAT(store.keys(), UnorderedElementsAre(Key{"mail", "b"}, Key{"mail", "c"}, Key{"mail", "d"}));
}

TEST_F(StoreTest, LeavesOtherNamespacesAloneWhenOneIsListed) {
  const auto second = store.feed("second");
  give_all(*mail, {object("a", "1"), object("b", "2")});
  give_all(*second, {object("a", "3", "", "second")});
  give_all(*mail, {object("b", "2")});
  EXPECT_THAT(told, ElementsAre("a ->1", "b ->2", "a ->3", "a 1>-"));
  EXPECT_THAT(store.keys(), UnorderedElementsAre(Key{"mail", "b"}, Key{"second", "a"}));
  second->keep_only({});
  EXPECT_THAT(store.keys(), ElementsAre(Key{"mail", "b"}));
}

TEST_F(StoreTest, TakesListsOfSeveralNamespacesAtOnce) {
  Store shared{Store::Options{}};
  {
    std::vector<std::jthread> informers;
    for (const std::string name_space : {"one", "two", "three"}) {
      informers.emplace_back([&shared, name_space] {
        const auto feed = shared.feed(name_space);
        for (int round = 0; round < 100; ++round)
          give_all(*feed, {object("a", std::to_string(round), "", name_space)});
      });
    }
  }
  EXPECT_THAT(shared.keys(), SizeIs(3));
}

TEST_F(StoreTest, DoesNotTellOfAnObjectThatCameAgainUnchanged) {
  mail->upsert(object("a", "1"));
  mail->upsert(object("a", "1"));
  mail->erase(object("z", "1"));
  EXPECT_THAT(told, ElementsAre("a ->1"));
}

TEST_F(StoreTest, KeepsNeitherManagedFieldsNorWhatIsTrimmed) {
  auto some = object("a", "1");
  some["secret"] = "x";
  mail->upsert(some);
  const auto kept = store.get({"mail", "a"}).value();
  EXPECT_FALSE(kept["metadata"].contains("managedFields"));
  EXPECT_FALSE(kept.contains("secret"));
}

TEST_F(StoreTest, FindsObjectsByTheirGroup) {
  mail->upsert(object("a", "1", "x"));
  mail->upsert(object("b", "1", "x"));
  mail->upsert(object("c", "1", "y"));
  EXPECT_EQ(store.in_group("mail", "x").size(), 2U);
  mail->upsert(object("b", "2", "y"));
  EXPECT_EQ(store.in_group("mail", "x").size(), 1U);
  EXPECT_EQ(store.in_group("mail", "y").size(), 2U);
  mail->erase(object("c", "3", "y"));
  EXPECT_EQ(store.in_group("mail", "y").size(), 1U);
  EXPECT_THAT(store.in_group("other", "y"), IsEmpty());
}

TEST_F(StoreTest, TakesAListOfAllNamespacesAtOnce) {
  auto all = store.feed("");
  const auto in = [](const char* name_space) {
    return Json{
      {"group", ""}, {"metadata", {{"namespace", name_space}, {"name", "a"}, {"resourceVersion", "1"}}}
    };
  };
  give_all(*all, {in("one"), in("two")});
  EXPECT_EQ(store.keys().size(), 2U);
  give_all(*all, {in("two")});
  EXPECT_EQ(store.keys(), (std::vector<Key>{{"two", "a"}}));
}

}  // namespace
}  // namespace op::runtime

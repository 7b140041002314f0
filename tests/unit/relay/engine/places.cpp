#include "relay/engine/places.hpp"

#include <gtest/gtest.h>

#include "tests/support/exchange.hpp"
#include "tests/unit/relay/engine/settings.hpp"

namespace relay::engine {
namespace {

using test::smarthost;
using Share = std::vector<std::uint32_t>;
using Split = std::map<route::Destination, Share>;

const WallTime kDue{milliseconds{1'000'000}};
const QueueId kId{1, 7};

mail::Envelope envelope(const std::vector<std::string>& recipients) {
  mail::Envelope envelope;
  envelope.reverse_path = relay::test::address("a@b");
  for (const auto& recipient : recipients) envelope.recipients.push_back(relay::test::address(recipient));
  envelope.size = 77;
  return envelope;
}

TEST(Places, OfAMessageForOneDestinationAreOneForAll) {
  const route::RouteTable routes({smarthost("default")});
  const auto places = new_places(routes, envelope({"c@d", "e@f"}), kId, queue::Lane::bulk, kDue);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places.front().queue.to_key(), "smarthost/default;bulk");
  EXPECT_TRUE(places.front().share.empty());
  EXPECT_EQ(places.front().item, (queue::Item{{kDue, kId}, kDue, 0, 77, kDue}));
}

TEST(Places, OfAMessageForSeveralAreOneForEachWithItsRecipients) {
  const route::RouteTable routes({smarthost("two", {"two.example"})});
  const auto places = new_places(
    routes, envelope({"a@one.example", "b@two.example", "c@One.example"}), kId, queue::Lane::normal, kDue
  );
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].queue.to_key(), "mx/one.example");
  EXPECT_EQ(places[0].share, (Share{0, 2}));
  EXPECT_EQ(places[1].queue.to_key(), "smarthost/two");
  EXPECT_EQ(places[1].share, Share{1});
}

TEST(Places, GoWhereThePresentRoutesLead) {
  const route::RouteTable routes({smarthost("two", {"two.example"})});
  const auto mail = envelope({"a@one.example", "b@two.example", "c@One.example"});
  const auto split = split_anew(routes, mail, {0, 1, 2}, {"mx/two.example"});
  EXPECT_EQ(split, (Split{{{"mx/one.example"}, {0, 2}}, {{"smarthost/two"}, {1}}}));
  EXPECT_EQ(split_anew(routes, mail, {1}, {"mx/two.example"}), (Split{{{"smarthost/two"}, {1}}}));
  EXPECT_EQ(routed_anew(routes, mail, 0, {"mx/one.example"}).name, "mx/one.example");
}

TEST(Places, OfReportsOfTlsFailuresStayApart) {
  const route::RouteTable routes({smarthost("two", {"two.example"})});
  const auto mail = envelope({"a@one.example", "b@two.example"});
  const route::Destination at{"mx/one.example#report"};
  EXPECT_EQ(routed_anew(routes, mail, 0, at), at) << "it is where it belongs";
  const auto split = split_anew(routes, mail, {0, 1}, at);
  EXPECT_EQ(split, (Split{{at, {0}}, {{"smarthost/two"}, {1}}})) << "a smarthost takes all alike";
}

TEST(Places, AreStoredWithWhatTheLastAttemptWasTold) {
  Place place{
    *queue::QueueName::parse("mx/one.example"),
    {{kDue, kId}, kDue - kDue.time_since_epoch(), 3, 77, kDue},
    {1}
  };
  place.item.sender_was_warned = true;
  const auto operation = put_place(place, "451 later");
  EXPECT_EQ(operation.key, key_of(place));
  EXPECT_EQ(operation.key, spool::due_key("mx/one.example", kDue, kId));
  const auto payload = spool::open_record(spool::Family::due, operation.key, operation.value);
  const auto waiting = *spool::parse_waiting(*payload);
  EXPECT_EQ(waiting, (spool::Waiting{place.item.arrival, 77, 3, "451 later", kDue, {1}, true}));
}

TEST(Places, OfRecipientsThatARuleHoldsAreOnHold) {
  const route::RouteTable routes({smarthost("two", {"two.example"})});
  auto mail = envelope({"a@one.example", "b@two.example", "c@one.example"});
  EXPECT_TRUE(held_places(routes, mail, kId, queue::Lane::normal, kDue).empty());
  mail.held = {2};
  const auto waiting = new_places(routes, mail, kId, queue::Lane::normal, kDue);
  ASSERT_EQ(waiting.size(), 2U);
  EXPECT_EQ(waiting[0].share, Share{0});
  EXPECT_EQ(waiting[1].share, Share{1});
  const auto held = held_places(routes, mail, kId, queue::Lane::normal, kDue);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].queue.to_key(), "mx/one.example");
  EXPECT_EQ(held[0].share, Share{2});
  const auto operations = accept_operations(kId, {mail, 1}, waiting, held);
  ASSERT_EQ(operations.size(), 4U);
  EXPECT_EQ(operations[3].family, spool::Family::held);
  EXPECT_EQ(operations[3].key, key_of(held[0]));
}

TEST(Places, OfAMessageThatIsHeldAsAWholeNameNoRecipients) {
  const route::RouteTable routes({smarthost("default")});
  auto mail = envelope({"a@one.example", "b@two.example"});
  mail.held = {0, 1};
  EXPECT_TRUE(new_places(routes, mail, kId, queue::Lane::normal, kDue).empty());
  const auto held = held_places(routes, mail, kId, queue::Lane::normal, kDue);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_TRUE(held[0].share.empty());
  mail.held = {1};
  EXPECT_EQ(new_places(routes, mail, kId, queue::Lane::normal, kDue).at(0).share, Share{0});
  EXPECT_EQ(held_places(routes, mail, kId, queue::Lane::normal, kDue).at(0).share, Share{1});
}

TEST(Places, GoByTheSmarthostThatARuleNamedAlsoLater) {
  const route::RouteTable routes({smarthost("one", {"one.example"}), smarthost("two", {"two.example"})});
  auto mail = envelope({"a@one.example"});
  mail.smarthosts = {"two"};
  EXPECT_EQ(new_places(routes, mail, kId, queue::Lane::normal, kDue).at(0).queue.to_key(), "smarthost/two");
  EXPECT_EQ(routed_anew(routes, mail, 0, {"smarthost/two"}).name, "smarthost/two");
}

TEST(Places, AndEnvelopeAreOneBatch) {
  const route::RouteTable routes({smarthost("two", {"two.example"})});
  const spool::StoredEnvelope stored{envelope({"a@one.example", "b@two.example"}), 1};
  const auto places = new_places(routes, stored.envelope, kId, queue::Lane::normal, kDue);
  const auto operations = accept_operations(kId, stored, places);
  ASSERT_EQ(operations.size(), 3U);
  EXPECT_EQ(operations[0].family, spool::Family::envelope);
  EXPECT_EQ(operations[1].key, key_of(places[0]));
  EXPECT_EQ(operations[2].key, key_of(places[1]));
}

TEST(Places, OfWhatARuleHoldsAndOfTheRestHaveKeysOfTheirOwnInOneQueue) {
  const route::RouteTable routes({smarthost("default")});
  auto mail = envelope({"a@b", "c@d"});
  mail.held = {0};
  const auto waiting = new_places(routes, mail, kId, queue::Lane::normal, kDue);
  const auto held = held_places(routes, mail, kId, queue::Lane::normal, kDue);
  ASSERT_EQ(waiting.size(), 1U);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].queue.to_key(), waiting[0].queue.to_key());
  EXPECT_NE(key_of(held[0]), key_of(waiting[0]));
  EXPECT_EQ(held[0].item.scheduled, kDue);
}

}  // namespace
}  // namespace relay::engine

#include "relay/ctl/tables.hpp"

#include <gmock/gmock.h>

namespace relay::ctl {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

ordered_json message(const std::string& state) {
  return {
    {"queue_id", "0m110lh0000100000000"},
    {"state", state},
    {"destination", "smarthost/default"},
    {"size", 40},
    {"arrival", "2026-01-01T12:00:00.000Z"},
    {"due", "2026-01-01T12:01:00.000Z"},
    {"attempts", 2},
    {"last", "451 4.3.0 later"},
    {"sender", ""},
    {"recipients", ordered_json::array({
                     {{"address", "a@d"}, {"state", "delivered"}, {"reply", "250 ok"}},
                     {{"address", "b@d"}, {"state", state}, {"reply", "550 5.1.1 unknown"}},
                   })},
  };
}

TEST(QueueTable, SaysWhatWaitsForWhomAndWhy) {
  const auto table = queue_table(ordered_json::array({message("waiting")}));
  EXPECT_THAT(table, HasSubstr("QUEUE ID"));
  EXPECT_THAT(table, HasSubstr("0m110lh0000100000000  waiting"));
  EXPECT_THAT(table, HasSubstr("<>      b@d         451 4.3.0 later\n"))
    << "the recipient that got it is not waited for";
}

TEST(QueueTable, NamesTheReplyThatFailedAMessage) {
  EXPECT_THAT(queue_table(ordered_json::array({message("failed")})), HasSubstr("550 5.1.1 unknown"));
}

TEST(QueueTable, LetsNobodyDriveTheTerminal) {
  auto evil = message("waiting");
  evil["last"] = "451 \x1b[2J\r\nfaked line";
  const auto table = queue_table(ordered_json::array({evil}));
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2);
}

TEST(QueueTable, OfAnEmptyQueueSaysSo) {
  EXPECT_EQ(queue_table(ordered_json::array()), "The queue is empty.\n");
}

TEST(DestinationsTable, SaysWhoWaitsForWhatAndWhy) {
  const auto text = destinations_table(ordered_json::array({
    {{"destination", "mx/slow.test"},
     {"in_flight", 1},
     {"waiting_in_memory", 20},
     {"bulk_waiting_in_memory", 5},
     {"connections_ready", 2},
     {"concurrency_window", 5},
     {"is_suspended", false},
     {"last_failure", "refused"},
     {"next_attempt_in_seconds", 42},
     {"oldest_arrival", nullptr}},
  }));
  EXPECT_THAT(
    text,
    HasSubstr("mx/slow.test  20        5      1          2            5       -       backs off, 42 s\n")
  );
  EXPECT_THAT(text, HasSubstr("mx/slow.test: refused\n"));
  EXPECT_EQ(destinations_table(ordered_json::array()), "Nothing waits in memory for any destination.\n");
}

TEST(TraceText, TellsTheWholeLife) {
  auto one = message("waiting");
  one["client"] = "192.0.2.1";
  one["helo"] = "client";
  one["message_id"] = "<x@y>";
  one["recipients"] = {
    {{"address", "b@d"}, {"state", "failed"}, {"reply", "550 no"}, {"hop", "mx [192.0.2.9]"}, {"at", "T"}}
  };
  one["places"] = {
    {{"state", "held"},
     {"destination", "mx/d"},
     {"lane", "bulk"},
     {"due", "T"},
     {"attempts", 1},
     {"last", "451 later"}}
  };
  one["events"] = {{{"time", "T"}, {"event", "deferral"}, {"recipient", "b@d"}, {"reply", "451 \x1b[2J"}}};
  const auto text = trace_text(one);
  EXPECT_THAT(text, HasSubstr("  Message-ID: <x@y>\n"));
  EXPECT_THAT(text, HasSubstr("  to: b@d failed at T by mx [192.0.2.9]: 550 no\n"));
  EXPECT_THAT(text, HasSubstr("  waits: held for mx/d (bulk), due T, tries 1, last: 451 later\n"));
  EXPECT_THAT(text, HasSubstr("    T  deferral recipient=b@d reply=451 ?[2J\n"));
}

TEST(TraceText, OfAMessageThatIsGoneHasItsEventsAlone) {
  EXPECT_EQ(
    trace_text(
      {{"queue_id", "0m110lh0000100000000"},
       {"state", "gone"},
       {"events", {{{"time", "T"}, {"event", "delivery"}}}}}
    ),
    "0m110lh0000100000000  gone\n  events:\n    T  delivery\n"
  );
}

TEST(Status, NamesFailingDestinationsWithTheirNextAttempt) {
  const ordered_json status{
    {"ready", false},
    {"reason", "stopping"},
    {"waiting", 3},
    {"waiting_bytes", 120},
    {"in_flight", 1},
    {"failed", 0},
    {"destinations",
     {{{"destination", "smarthost/default"}, {"last_failure", "refused"}, {"next_attempt_in_seconds", 42}},
      {{"destination", "other"}, {"last_failure", ""}, {"next_attempt_in_seconds", nullptr}}}},
  };
  EXPECT_EQ(
    status_text(status),
    "not ready: stopping\n3 messages wait (120 octets), 1 in flight, 0 kept as failed\n"
    "Mail for smarthost/default waits, next attempt in 42 s: refused\n"
  );
}

}  // namespace
}  // namespace relay::ctl

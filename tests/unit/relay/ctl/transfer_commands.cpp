#include "relay/ctl/transfer_commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/relay/ctl/admin_peer.hpp"

namespace {

/// Files that this process synced, while somebody wants to know.
std::vector<std::string>* synced = nullptr;

}  // namespace

/// Stands before the C library's.
extern "C" int fsync(int file) {
  if (synced != nullptr)
    synced->push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file)).string());
  return static_cast<int>(syscall(SYS_fsync, file));
}

namespace relay::ctl {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;
using Asked = AdminPeer::Asked;
using Said = AdminPeer::Said;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcome {
  int code = 0;
  std::string said;  // on standard error
};
template <class Command>
Outcome outcome_of(Command command) {
  ::testing::internal::CaptureStderr();
  const int code = command();
  return {code, ::testing::internal::GetCapturedStderr()};
}

TEST(ExportQueue, GoesOnBehindMessagesThatAreDamaged) {
  const AdminPeer peer([](const Asked& asked) -> Said {
    const auto is_about = [&](const char* id) { return asked.operation.find(id) != std::string::npos; };
    if (asked.operation.starts_with("GET /v1/queue"))
      return page_of({listed("head", "held"), listed("middle", "held"), listed("whole", "held")});
    if (is_about("head") || asked.operation.ends_with("&from=24")) return {500, {{"error", "damaged"}}};
    if (is_about("middle")) return {200, {{"lines", "{\"message\":1}\n"}, {"next", 24}}};
    return {200, {{"lines", "{\"message\":2}\n{\"end\":2}\n"}, {"next", nullptr}}};
  });
  ExportOrder order;
  order.file = peer.path("out");
  const auto outcome = outcome_of([&] { return export_queue(peer.interface(), order); });
  EXPECT_EQ(
    text_of(order.file), "{\"message\":1}\n{\"abandoned\":\"middle\"}\n{\"message\":2}\n{\"end\":2}\n"
  );
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.said, HasSubstr("1 messages written"));
  EXPECT_THAT(outcome.said, HasSubstr("2 are damaged and stay here"));
}

TEST(ExportQueue, TakesAwayWhatWaitedAndNothingElse) {
  std::set<std::string> held{"before"};
  std::set<std::string> waiting{"a", "b"};
  const AdminPeer peer([&](const Asked& asked) -> Said {
    if (asked.operation.starts_with("POST /v1/queue/hold")) {
      EXPECT_EQ(ordered_json::parse(asked.body).value("state", ""), "waiting");
      held.merge(waiting);
      return {200, {{"changed", 2}, {"in_flight", 0}, {"unchanged", 0}, {"next", ""}}};
    }
    if (asked.operation.starts_with("POST"))
      return {200, {{"changed", 2}, {"in_flight", 0}, {"unchanged", 0}, {"next", ""}}};
    if (!asked.operation.starts_with("GET /v1/queue"))
      return {200, {{"lines", "{\"end\":2}\n"}, {"next", nullptr}}};
    auto messages = ordered_json::array();
    const auto add = [&](const std::set<std::string>& ids, const std::string& state) {
      const bool is_asked = asked.operation.find("state=") == std::string::npos ||
                            asked.operation.find("state=" + state) != std::string::npos;
      for (const auto& id : ids) {
        if (is_asked) messages.push_back(listed(id, state));
      }
    };
    add(waiting, "waiting");
    add(held, "held");
    add({"dead"}, "failed");
    return page_of(messages);
  });
  ExportOrder order;
  order.selection.state = "waiting";
  order.file = peer.path("out");
  order.is_removed = true;
  EXPECT_EQ(outcome_of([&] { return export_queue(peer.interface(), order); }).code, kDone);
  const auto deleted = peer.asked("POST /v1/queue/delete");
  ASSERT_EQ(deleted.size(), 1U);
  EXPECT_EQ(ordered_json::parse(deleted.front().body).at("places").dump(), R"(["h:a","h:b"])");
}

TEST(ExportQueue, TellsWhatWasOnHoldBeforeItHeldTheRest) {
  bool holds_all = false;
  const AdminPeer peer([&](const Asked& asked) -> Said {
    if (asked.operation.starts_with("POST /v1/queue/hold")) holds_all = true;
    if (asked.operation.starts_with("POST"))
      return {200, {{"changed", 1}, {"in_flight", 0}, {"unchanged", 0}, {"next", ""}}};
    if (!asked.operation.starts_with("GET /v1/queue"))
      return {200, {{"lines", "{\"end\":2}\n"}, {"next", nullptr}}};
    auto ruled = listed("a", "held");
    auto also_ruled = ruled;
    also_ruled["place"] = "h:a2";
    if (!holds_all) {
      EXPECT_THAT(asked.operation, HasSubstr("state=held"));
      EXPECT_THAT(asked.operation, Not(HasSubstr("destination")));
      return page_of({ruled, also_ruled});
    }
    return page_of({ruled, also_ruled, listed("b", "held")});
  });
  ExportOrder order;
  order.selection.destination = "smarthost/default";
  order.file = peer.path("out");
  order.is_removed = true;
  EXPECT_EQ(outcome_of([&] { return export_queue(peer.interface(), order); }).code, kDone);
  const auto exported = peer.asked("GET /v1/export");
  ASSERT_EQ(exported.size(), 2U);
  EXPECT_THAT(exported[0].operation, HasSubstr("&held=" + encoded("h:a,h:a2")));
  EXPECT_THAT(exported[1].operation, HasSubstr("&held=none"));
}

TEST(ExportQueue, DeletesOnlyWhatIsInAFileWhoseNameIsOnDisk) {
  std::vector<std::string> before_deletion;
  std::vector<std::string> paths;
  const AdminPeer peer([&](const Asked& asked) -> Said {
    if (asked.operation.starts_with("POST /v1/queue/delete")) before_deletion = paths;
    if (asked.operation.starts_with("POST"))
      return {200, {{"changed", 1}, {"in_flight", 0}, {"unchanged", 0}, {"next", ""}}};
    if (asked.operation.starts_with("GET /v1/queue")) return page_of({listed("a", "held")});
    return {200, {{"lines", "{\"end\":2}\n"}, {"next", nullptr}}};
  });
  ExportOrder order;
  order.selection.is_all = true;
  order.file = peer.path("out");
  order.is_removed = true;
  synced = &paths;
  EXPECT_EQ(outcome_of([&] { return export_queue(peer.interface(), order); }).code, kDone);
  synced = nullptr;
  EXPECT_THAT(before_deletion, ::testing::ElementsAre(peer.path(""), order.file));
}

TEST(ImportQueue, TellsAFileThatCannotBeReadFromAnEmptyOne) {
  const AdminPeer peer([](const Asked&) -> Said { return {200, {{"imported", ordered_json::array()}}}; });
  ImportOrder order;
  order.file = peer.path("empty");
  std::ofstream(order.file).flush();
  EXPECT_EQ(outcome_of([&] { return import_queue(peer.interface(), order); }).code, kNothing);
  order.file = peer.path("");  // a folder opens, and gives no line
  const auto outcome = outcome_of([&] { return import_queue(peer.interface(), order); });
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.said, HasSubstr("cannot read on"));
}

}  // namespace
}  // namespace relay::ctl

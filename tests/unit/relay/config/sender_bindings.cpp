#include "relay/config/sender_bindings.hpp"

#include <gmock/gmock.h>

#include "relay/config/load.hpp"

namespace relay::config {
namespace {

using ::testing::HasSubstr;

Loaded load_bindings(const std::string& bindings) {
  return load({R"({"sender_bindings": [)" + bindings + "]}", "relay.json", {}});
}
std::string faults(const std::string& bindings) {
  std::string all;
  for (const auto& fault : load_bindings(bindings).faults) all += fault.to_text() + "\n";
  return all;
}

TEST(SenderBindings, AreWhatTheSettingsSay) {
  const auto loaded = load_bindings(
    R"({"name": "erp", "clients": ["10.1.0.0/16"], "senders": ["erp.test", "a@b.test"]},
       {"name": "shop", "users": ["shop-*"], "senders": ["shop.test"], "header_from": "on"})"
  );
  ASSERT_TRUE(loaded.faults.empty()) << loaded.faults.front().to_text();
  const policy::SenderBindings expected{
    {"erp", {}, {*Cidr::parse("10.1.0.0/16")}, {"erp.test", "a@b.test"}, false},
    {"shop", {"shop-*"}, {}, {"shop.test"}, true},
  };
  EXPECT_EQ(sender_bindings(loaded.settings), expected);
  EXPECT_TRUE(sender_bindings(load({}).settings).empty());
}

TEST(SenderBindings, NameClientsAndSendersAndAreBounded) {
  EXPECT_THAT(faults(R"({"name": "a", "senders": ["b.test"]})"), HasSubstr("[0]: needs users or clients"));
  EXPECT_THAT(faults(R"({"name": "a", "users": ["u"], "senders": []})"), HasSubstr("[0]: needs senders"));
  EXPECT_THAT(faults(R"({"name": "a", "users": ["u"]})"), HasSubstr("senders: is missing"));
  const std::string one = R"({"name": "a", "users": ["u"], "senders": ["b.test"]})";
  EXPECT_THAT(faults(one + "," + one), HasSubstr("the name 'a' is there twice"));
  std::string many;
  for (int i = 0; i <= 64; ++i)
    many += (i == 0 ? "" : ",") +
            (R"({"name": "b)" + std::to_string(i) + R"(", "users": ["u"], "senders": ["b.test"]})");
  EXPECT_THAT(faults(many), HasSubstr("more than 64 entries"));
}

}  // namespace
}  // namespace relay::config

#include "relay/ctl/selection.hpp"

#include <gtest/gtest.h>

#include "relay/ctl/admin_client.hpp"

namespace relay::ctl {
namespace {

TEST(Selection, GoesEncodedIntoAQuery) {
  Selection selection;
  EXPECT_EQ(selection.to_query(), "");
  selection.sender = "a+b@c.test";
  selection.state = "held";
  EXPECT_EQ(selection.to_query(), "&sender=a%2Bb%40c.test&state=held");
  EXPECT_EQ(encoded("<x\xc3\xa4 @y>"), "%3Cx%C3%A4%20%40y%3E");
}

TEST(Selection, GoesIntoABody) {
  Selection selection;
  selection.id = "x";
  EXPECT_EQ(selection.to_json().dump(), R"({"id":"x"})");
  selection.id.clear();
  selection.is_all = true;
  EXPECT_EQ(selection.to_json().dump(), R"({"all":true})");
}

TEST(Selection, ComesFromTheCommandLine) {
  CLI::App app;
  Selection selection;
  add_options(app, selection, true);
  app.parse("ID --sender <> --recipient d.test --state failed");
  EXPECT_EQ(selection.id, "ID");
  EXPECT_EQ(selection.sender, "<>");
  EXPECT_EQ(selection.recipient, "d.test");
  EXPECT_EQ(selection.state, "failed");
  EXPECT_THROW(app.parse("--state gone"), CLI::ValidationError);
}

}  // namespace
}  // namespace relay::ctl

#include "relay/app/text_file.hpp"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/support/folder.hpp"

namespace relay::app {
namespace {

TEST(TextFile, IsReadWhole) {
  const test::Folder folder;
  const auto path = folder.path() + "/text";
  const std::string text(100'000, 'x');
  std::ofstream(path) << text;
  EXPECT_EQ(read_text(path).value(), text);
}

TEST(TextFile, IsEmptyWhereThereIsNone) {
  EXPECT_EQ(read_text("").value(), "");
  EXPECT_EQ(read_text("/nowhere/at/all").value(), "");
}

TEST(TextFile, IsAnErrorWhereItCannotBeRead) {
  const test::Folder folder;
  const auto read = read_text(folder.path());
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().context.find("Is a directory"), std::string::npos) << read.error().context;
}

TEST(TextFile, IsPutInPlaceWhole) {
  const test::Folder folder;
  const auto path = folder.path("kept");
  const std::string text(100'000, 'x');
  ASSERT_TRUE(write_text(path, text));
  ASSERT_TRUE(write_text(path, "short"));
  EXPECT_EQ(read_text(path).value(), "short");
  EXPECT_EQ(read_text(path + ".new").value(), "");
  const auto failed = write_text(folder.path("nowhere/kept"), text);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().context.find("No such file"), std::string::npos) << failed.error().context;
}

}  // namespace
}  // namespace relay::app

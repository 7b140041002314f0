#include "relay/ctl/selection.hpp"

#include <array>

#include "relay/ctl/admin_client.hpp"

namespace relay::ctl {
namespace {

struct Field {
  const char* name;
  std::string Selection::* value;
};
constexpr std::array kFields{
  Field{"id", &Selection::id}, Field{"sender", &Selection::sender}, Field{"recipient", &Selection::recipient},
  Field{"destination", &Selection::destination}, Field{"state", &Selection::state}
};

}  // namespace

std::string Selection::to_query() const {
  std::string query;
  for (const auto& [name, value] : kFields) {
    if (!(this->*value).empty()) query += "&" + std::string(name) + "=" + encoded(this->*value);
  }
  return query;
}

nlohmann::ordered_json Selection::to_json() const {
  auto fields = nlohmann::ordered_json::object();
  for (const auto& [name, value] : kFields) {
    if (!(this->*value).empty()) fields[name] = this->*value;
  }
  if (is_all) fields["all"] = true;
  return fields;
}

void add_options(CLI::App& command, Selection& selection, bool has_all) {
  command.add_option("id", selection.id, "A queue id")->type_name("ID");
  command.add_option("--sender", selection.sender, "An address, a domain, or <> for reports")
    ->type_name("ADDRESS");
  command.add_option("--recipient", selection.recipient, "An address or a domain")->type_name("ADDRESS");
  command.add_option("--destination", selection.destination, "smarthost/NAME or mx/DOMAIN")
    ->type_name("NAME");
  command.add_option("--state", selection.state, "waiting, held, captured (held by the mode) or failed")
    ->check(CLI::IsMember({"waiting", "held", "captured", "failed"}));
  if (has_all) command.add_flag("--all", selection.is_all, "All messages");
}

}  // namespace relay::ctl

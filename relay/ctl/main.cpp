#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "relay/ctl/admin_client.hpp"
#include "relay/ctl/reveal.hpp"
#include "relay/ctl/tables.hpp"

namespace {

using namespace relay;
using nlohmann::ordered_json;

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(fallback);
}

int complain(const Error& error) {
  std::cerr << "relayctl: " << error.context << "\n";
  return 1;
}

/// All pages, up to `limit` messages.
Result<ordered_json> fetch_queue(const ctl::AdminInterface& admin, std::size_t limit) {
  auto messages = ordered_json::array();
  std::string cursor;
  do {
    auto page = ctl::request(admin, "GET", "/v1/queue?limit=500&after=" + cursor);
    if (!page) return page;
    for (auto& message : page->at("messages")) {
      if (messages.size() < limit) messages.push_back(std::move(message));
    }
    cursor = page->at("next").get<std::string>();
  } while (!cursor.empty() && messages.size() < limit);
  return messages;
}

int show_queue(const ctl::AdminInterface& admin, std::size_t limit, bool as_json) {
  const auto messages = fetch_queue(admin, limit);
  if (!messages) return complain(messages.error());
  if (as_json) {
    std::cout << messages->dump(2) << "\n";
    return 0;
  }
  // Mail that waits for a next hop that is down has no reply of its own: the destination's failure is its
  // reason.
  const auto status = ctl::request(admin, "GET", "/v1/status");
  std::cout << ctl::queue_table(*messages) << (status ? ctl::failing_destinations(*status) : "");
  return 0;
}

int show_status(const ctl::AdminInterface& admin, bool as_json) {
  const auto status = ctl::request(admin, "GET", "/v1/status");
  if (!status) return complain(status.error());
  std::cout << (as_json ? status->dump(2) + "\n" : ctl::status_text(*status));
  return 0;
}

int set_drained(const ctl::AdminInterface& admin, bool is_drained) {
  const auto answer = ctl::request(admin, "POST", is_drained ? "/v1/drain" : "/v1/resume");
  if (!answer) return complain(answer.error());
  if (is_drained)
    std::cout << "Draining: probes get 503 now, new connections 421 behind the lame-duck time, until "
                 "`relayctl resume`.\n";
  else if (answer->value("drained", false))
    std::cout << "Still drained: the pod's annotation smtp.buildinglink.com/drain asks for it.\n";
  else std::cout << "Resumed: the relay accepts mail again.\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App cli{"relayctl: asks a running smtp-relay, and drains it"};
  std::string spool = environment_or("SMTP_RELAY_SPOOL_PATH", "/var/spool/smtp-relay");
  std::string address = environment_or("SMTP_RELAY_ADMIN_LISTEN", "127.0.0.1:8026");
  bool as_json = false;
  std::size_t limit = 1000;
  cli.add_option("--spool", spool, "The relay's spool folder, which holds the token")
    ->type_name("PATH")
    ->capture_default_str();
  cli.add_option("--admin", address, "The relay's admin listener")
    ->type_name("HOST:PORT")
    ->capture_default_str();
  cli.set_version_flag("--version", std::string("relayctl ") + SMTP_RELAY_VERSION);
  auto* queue = cli.add_subcommand("queue", "List waiting and failed messages");
  queue->add_flag("--json", as_json, "As JSON, for programs");
  queue->add_option("--limit", limit, "At most this many")->capture_default_str();
  auto* status = cli.add_subcommand("status", "Is it ready, what waits, and for whom");
  status->add_flag("--json", as_json, "As JSON, for programs");
  auto* drain = cli.add_subcommand("drain", "Stop taking mail, without exiting, until resume");
  auto* resume = cli.add_subcommand("resume", "Take mail again");
  ctl::RevealRequest revealed;
  auto* reveal = cli.add_subcommand("reveal", "Read redacted addresses of a log with their key");
  reveal->add_option("--key", revealed.key_file, "The file that log_redaction_key names")
    ->type_name("FILE")
    ->required();
  reveal->add_option("token", revealed.tokens, "Tokens; none or -: replaces them in standard input's lines");
  cli.require_subcommand(1);
  CLI11_PARSE(cli, argc, argv);

  if (*reveal) {
    const auto done = ctl::reveal(revealed, std::cin, std::cout);
    return done ? 0 : complain(done.error());
  }
  const auto endpoint = Endpoint::parse(address);
  if (!endpoint) return complain(endpoint.error());
  const ctl::AdminInterface admin{*endpoint, spool + "/admin.token"};
  if (*queue) return show_queue(admin, limit, as_json);
  if (*status) return show_status(admin, as_json);
  if (*drain || *resume) return set_drained(admin, drain->parsed());
  return 0;
} catch (const std::exception& exception) {
  std::cerr << "relayctl: " << exception.what() << "\n";
  return 1;
}

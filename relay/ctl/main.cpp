#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <unistd.h>

#include "relay/base/private_memory.hpp"
#include "relay/ctl/explain.hpp"
#include "relay/ctl/reveal.hpp"
#include "relay/ctl/tables.hpp"
#include "relay/ctl/terminal.hpp"
#include "relay/ctl/transfer_commands.hpp"
#include "relay/ctl/user_line.hpp"

extern char** environ;

namespace {

using namespace relay;
using nlohmann::ordered_json;

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(fallback);
}

int show_status(const ctl::AdminInterface& admin, bool as_json) {
  const auto status = ctl::request(admin, "GET", "/v1/status");
  if (!status) return ctl::complain(status.error());
  std::cout << (as_json ? status->dump(2) + "\n" : ctl::status_text(*status));
  return 0;
}

int set_drained(const ctl::AdminInterface& admin, bool is_drained) {
  const auto answer = ctl::request(admin, "POST", is_drained ? "/v1/drain" : "/v1/resume");
  if (!answer) return ctl::complain(answer.error());
  if (is_drained)
    std::cout << "Draining: probes get 503 now, new connections 421 behind the lame-duck time, until "
                 "`relayctl resume`.\n";
  else if (answer->value("drained", false))
    std::cout << "Still not taking mail: " << answer->value("reason", "") << ".\n";
  else std::cout << "Resumed: the relay accepts mail again.\n";
  return 0;
}

/// What the command line asks for, once it is parsed.
using Run = std::function<int(const ctl::AdminInterface&)>;

/// The commands and the options of each. They live as long as main().
struct Commands {
  bool as_json = false;
  std::size_t limit = 1000;
  ctl::Selection selection;
  ctl::Order order;
  ctl::ExportOrder export_order;
  ctl::ImportOrder import_order;
  ctl::TraceRequest trace;
  std::string destination;
  std::string duration;
  Run run;
};

void add_json(CLI::App& command, Commands& commands) {
  command.add_flag("--json", commands.as_json, "As JSON, for programs");
}

void add_limit(CLI::App& command, Commands& commands) {
  command.add_option("--limit", commands.limit, "At most this many")->capture_default_str();
}

void add_change(CLI::App& queue, Commands& commands, const std::string& action, const std::string& what) {
  auto* command = queue.add_subcommand(action, what);
  ctl::add_options(*command, commands.order.selection, true);
  command->add_option("--reason", commands.order.reason, "Why, for the log")->type_name("TEXT");
  if (action == "delete") {
    command->add_flag("--bounce", commands.order.is_reported, "Tell senders, as of a failure");
    command->add_flag("--yes", commands.order.is_confirmed, "Do not ask");
  }
  command->callback([&commands, action] {
    commands.order.action = action;
    commands.run = [&commands](const auto& admin) { return ctl::change_queue(admin, commands.order); };
  });
}

void add_destinations(CLI::App& queue, Commands& commands) {
  auto* list = queue.add_subcommand("destinations", "Destinations with mail in memory or in flight");
  add_json(*list, commands);
  add_limit(*list, commands);
  list->callback([&commands] {
    commands.run = [&commands](const auto& admin) {
      return ctl::show_destinations(admin, commands.limit, commands.as_json);
    };
  });
  const auto add = [&](const std::string& action, const std::string& what) {
    auto* command = queue.add_subcommand(action, what);
    command->add_option("destination", commands.destination, "smarthost/NAME or mx/DOMAIN")->required();
    if (action == "suspend")
      command->add_option("--for", commands.duration, "As 30m or 1h; else until unsuspend")
        ->type_name("TIME");
    command->callback([&commands, action] {
      commands.run = [&commands, action](const auto& admin) {
        return ctl::change_destination(admin, action, commands.destination, commands.duration);
      };
    });
  };
  add("suspend", "Begin no delivery to a destination; what waits grows older all the same");
  add("unsuspend", "Deliver to it again");
}

void add_transfer(CLI::App& queue, Commands& commands) {
  auto& out = commands.export_order;
  auto* exported = queue.add_subcommand("export", "Write messages as lines of JSON, for import elsewhere");
  ctl::add_options(*exported, out.selection, true);
  exported->add_option("-o,--output", out.file, "A new file instead of standard output")->type_name("FILE");
  exported->add_flag("--remove", out.is_removed, "Hold, write, then delete here what is safe in the file");
  exported->callback([&commands] {
    commands.run = [&commands](const auto& admin) { return ctl::export_queue(admin, commands.export_order); };
  });
  auto& in = commands.import_order;
  auto* imported =
    queue.add_subcommand("import", "Take messages that export wrote, each with a new queue id");
  imported->add_option("file", in.file, "Instead of standard input")->type_name("FILE");
  imported->add_option("--skip", in.skip, "Messages at the start that were imported before")
    ->type_name("NUMBER");
  imported->add_flag("--hold", in.is_held, "Put them on hold");
  imported->callback([&commands] {
    commands.run = [&commands](const auto& admin) { return ctl::import_queue(admin, commands.import_order); };
  });
}

void add_queue(CLI::App& cli, Commands& commands) {
  auto* queue = cli.add_subcommand("queue", "List messages that wait, are held or failed, and act on them");
  add_json(*queue, commands);
  add_limit(*queue, commands);
  const auto list_run = [&commands] {
    commands.run = [&commands](const auto& admin) {
      return ctl::list_queue(admin, commands.selection, commands.limit, commands.as_json);
    };
  };
  queue->callback([&commands, list_run] {
    if (!commands.run) list_run();
  });
  auto* list = queue->add_subcommand("list", "List messages; `relayctl queue` alone lists all");
  ctl::add_options(*list, commands.selection, false);
  add_json(*list, commands);
  add_limit(*list, commands);
  list->callback(list_run);
  auto* show = queue->add_subcommand("show", "All that is known of one message");
  show->add_option("id", commands.trace.id, "Its queue id")->required()->type_name("ID");
  add_json(*show, commands);
  show->callback([&commands] {
    commands.run = [&commands](const auto& admin) {
      return ctl::show_trace(admin, commands.trace, commands.as_json);
    };
  });
  add_change(*queue, commands, "hold", "Keep messages and do not try them, until release");
  add_change(
    *queue, commands, "release",
    "Let held messages wait again; a failed one, named by id or --state failed, is tried anew"
  );
  add_change(*queue, commands, "retry", "Try messages now");
  add_change(*queue, commands, "delete", "Remove messages for good");
  add_destinations(*queue, commands);
  add_transfer(*queue, commands);
  queue->require_subcommand(0, 1);
}

void add_trace(CLI::App& cli, Commands& commands) {
  auto* trace = cli.add_subcommand("trace", "The whole life of a message, as far as the relay remembers");
  auto& asked = commands.trace;
  auto* group = trace->add_option_group("message");
  group->add_option("message", asked.what, "A queue id, a Message-ID in its <>, or a recipient");
  group->add_option("--id", asked.id, "A queue id")->type_name("ID");
  group->add_option("--message-id", asked.message_id, "Of its header")->type_name("MESSAGE-ID");
  group->add_option("--recipient", asked.recipient, "An address or a domain")->type_name("ADDRESS");
  group->require_option(1);
  add_json(*trace, commands);
  trace->callback([&commands] {
    commands.run = [&commands](const auto& admin) {
      return ctl::show_trace(admin, commands.trace, commands.as_json);
    };
  });
}

void add_relay(CLI::App& cli, Commands& commands) {
  auto* status = cli.add_subcommand("status", "Is it ready, what waits, and for whom");
  add_json(*status, commands);
  status->callback([&commands] {
    commands.run = [&commands](const auto& admin) { return show_status(admin, commands.as_json); };
  });
  for (const bool is_drained : {true, false}) {
    auto* command = is_drained
                      ? cli.add_subcommand("drain", "Stop taking mail, without exiting, until resume")
                      : cli.add_subcommand("resume", "Take mail again");
    command->callback([&commands, is_drained] {
      commands.run = [is_drained](const auto& admin) { return set_drained(admin, is_drained); };
    });
  }
}

CLI::App* add_explain(CLI::App& cli, ctl::ExplainRequest& asked) {
  asked.settings_file = "/etc/smtp-relay/config/relay.json";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = std::min(text.find('='), text.size());
    if (text.starts_with("SMTP_RELAY_") && equals < text.size())
      asked.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  auto* explain = cli.add_subcommand("explain", "What the rules of a settings file say of mail, and why");
  explain->add_option("--settings", asked.settings_file, "Settings; SMTP_RELAY_* variables win over them")
    ->type_name("FILE")
    ->capture_default_str();
  explain->add_option("--client", asked.client, "Where it comes from")->type_name("IP");
  explain->add_option("--from", asked.sender, "Its sender; none: <>")->type_name("ADDRESS");
  explain->add_option("--to", asked.recipients, "A recipient; may be there several times")
    ->type_name("ADDRESS");
  explain->add_option("--helo", asked.helo, "What the client says in HELO")->type_name("NAME");
  explain->add_option("--user", asked.user, "Whom the client logged in as")->type_name("NAME");
  explain->add_option("--listener", asked.listener, "The listener that it connected to")->type_name("NAME");
  explain->add_flag("--tls", asked.has_tls, "The connection is encrypted");
  explain->add_option("--size", asked.size, "Of its content, such as 10Mi")->type_name("SIZE");
  explain
    ->add_option("--header", asked.headers, "A field, such as 'Subject: hello'; may be there several times")
    ->type_name("FIELD");
  explain
    ->add_option("--replay", asked.replay_file, "Instead: what a log says was received; - for standard input")
    ->type_name("FILE");
  explain->add_flag(
    "--verbose", asked.is_verbose, "With --replay: for all mail each rule that was looked at, and why"
  );
  return explain;
}

CLI::App* add_user(CLI::App& cli, ctl::UserRequest& asked, bool& wants_stand_in) {
  auto* user = cli.add_subcommand("user", "Make a line of auth_users_file from a password on standard input");
  auto* name = user->add_option("name", asked.name, "Who may log in")->type_name("NAME");
  auto* iterations = user->add_option("--iterations", asked.iterations, "What a guess costs, 4096 to 600000")
                       ->type_name("NUMBER")
                       ->capture_default_str();
  auto* stand_in =
    user->add_flag("--stand-in", wants_stand_in, "Instead: the line with which relays hide who is a user")
      ->excludes(name)
      ->excludes(iterations);
  user->callback([name, stand_in] {
    if (name->empty() && stand_in->empty()) throw CLI::RequiredError("name");
  });
  return user;
}

}  // namespace

int main(int argc, char** argv) try {
  keep_memory_private();
  CLI::App cli{"relayctl: asks a running smtp-relay what it holds, acts on it, and drains it"};
  cli.footer("Exit codes: 0 done; 1 failed; 2 nothing matched or could be changed; 64 wrong usage.");
  std::string spool = environment_or("SMTP_RELAY_SPOOL_PATH", "/var/spool/smtp-relay");
  std::string address = environment_or("SMTP_RELAY_ADMIN_LISTEN", "127.0.0.1:8026");
  cli.add_option("--spool", spool, "The relay's spool folder, which holds the token")
    ->type_name("PATH")
    ->capture_default_str();
  cli.add_option("--admin", address, "The relay's admin listener, on loopback")
    ->type_name("HOST:PORT")
    ->capture_default_str();
  cli.set_version_flag("--version", std::string("relayctl ") + SMTP_RELAY_VERSION);
  Commands commands;
  add_queue(cli, commands);
  add_trace(cli, commands);
  add_relay(cli, commands);
  ctl::RevealRequest revealed;
  auto* reveal = cli.add_subcommand("reveal", "Read redacted addresses of a log with their key");
  reveal->add_option("--key", revealed.key_file, "The file that log_redaction_key names")
    ->type_name("FILE")
    ->required();
  reveal->add_option("token", revealed.tokens, "Tokens; none or -: replaces them in standard input's lines");
  ctl::ExplainRequest explained;
  const auto* explain = add_explain(cli, explained);
  ctl::UserRequest asked_user;
  bool wants_stand_in = false;
  const auto* user = add_user(cli, asked_user, wants_stand_in);
  cli.require_subcommand(1);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? ctl::kDone : ctl::kWrongUsage;
  }
  if (*reveal) {
    const auto done = ctl::reveal(revealed, std::cin, std::cout);
    return done ? ctl::kDone : ctl::complain(done.error());
  }
  if (*explain) {
    const auto done = ctl::explain(explained, std::cin, std::cout);
    return done ? ctl::kDone : ctl::complain(done.error());
  }
  if (*user && wants_stand_in) {
    const auto done = ctl::write_stand_in_line(std::cout);
    return done ? ctl::kDone : ctl::complain(done.error());
  }
  if (*user) {
    const auto ask = [] {
      return ctl::is_terminal(STDIN_FILENO) ? ctl::ask_password(STDIN_FILENO, STDERR_FILENO)
                                            : ctl::first_line(std::cin);
    };
    const auto done = ctl::write_user_line(asked_user, ask, std::cout);
    return done ? ctl::kDone : ctl::complain(done.error());
  }
  const auto endpoint = ctl::first_endpoint(address);
  if (!endpoint) return ctl::complain(endpoint.error());
  const ctl::AdminInterface admin{*endpoint, spool + "/admin.token"};
  return commands.run ? commands.run(admin) : ctl::kWrongUsage;
} catch (const std::exception& exception) {
  std::cerr << "relayctl: " << exception.what() << "\n";
  return 1;
}

#include "relay/metrics/exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <span>
#include <sstream>
#include <string_view>

namespace relay::metrics {
namespace {

struct Row {
  std::string_view name;
  std::string_view label;  // "reason=too_many", or nothing
  std::string_view help;
};

// In the order of the enums. Rows of one name stand together and share the first one's help.
constexpr std::array kCounters{
  Row{"connections_total", "", "Inbound connections that were accepted."},
  Row{
    "connections_refused_total", "reason=too_many",
    "Inbound connections that were greeted with a refusal or closed."
  },
  Row{"connections_refused_total", "reason=too_many_of_client", ""},
  Row{"connections_refused_total", "reason=stopping", ""},
  Row{"connections_refused_total", "reason=proxy_header", ""},
  Row{
    "hidden_clients_total", "",
    "Sessions that were refused something because the network hides their client behind an address that "
    "stands for several."
  },
  Row{
    "client_tls_total", "outcome=tls1_2",
    "STARTTLS of clients, by what it came to: a version, a handshake that failed, or commands behind it in "
    "the "
    "clear."
  },
  Row{"client_tls_total", "outcome=tls1_3", ""},
  Row{"client_tls_total", "outcome=failed", ""},
  Row{"client_tls_total", "outcome=injection", ""},
  Row{"logins_total", "mechanism=plain", "Clients that logged in (AUTH)."},
  Row{"logins_total", "mechanism=login", ""},
  Row{"logins_total", "mechanism=scram_sha_256", ""},
  Row{"logins_failed_total", "mechanism=plain", "Logins with a wrong user or password."},
  Row{"logins_failed_total", "mechanism=login", ""},
  Row{"logins_failed_total", "mechanism=scram_sha_256", ""},
  Row{"logins_refused_total", "", "AUTH of clients that have failed too often to try again."},
  Row{
    "logins_unchecked_total", "",
    "AUTH that got 454 since too many passwords waited to be checked, or the check failed."
  },
  Row{"refusals_total", "", "Replies of 400 and above to clients."},
  Row{"recipients_refused_total", "reason=not_listed", "Recipients refused by policy."},
  Row{"recipients_refused_total", "reason=hidden_source", ""},
  Row{"recipients_refused_total", "reason=address_literal", ""},
  Row{"recipients_refused_total", "reason=rule", ""},
  Row{"recipients_refused_total", "reason=mode", ""},
  Row{"recipients_discarded_total", "", "Recipients whose mail a rule threw away."},
  Row{
    "recipients_captured_total", "", "Recipients whose mail the mode of the relay kept in the spool, on hold."
  },
  Row{
    "recipients_redirected_total", "",
    "Recipients whose mail the mode of the relay sent to one address instead."
  },
  Row{
    "milter_messages_total", "outcome=passed",
    "Messages by what a content filter said; failed: it could not be asked, or not be followed; skipped: it "
    "was not asked since it had failed several times in a row."
  },
  Row{"milter_messages_total", "outcome=changed", ""},
  Row{"milter_messages_total", "outcome=refused", ""},
  Row{"milter_messages_total", "outcome=discarded", ""},
  Row{"milter_messages_total", "outcome=failed", ""},
  Row{"milter_messages_total", "outcome=skipped", ""},
  Row{"messages_received_total", "", "Messages accepted and stored."},
  Row{"received_bytes_total", "", "Octets of content of accepted messages."},
  Row{"messages_refused_total", "reason=storage", "Messages refused because they could not be stored."},
  Row{"recipients_total", "result=delivered", "Outcomes of delivery attempts, a recipient each."},
  Row{"recipients_total", "result=deferred", ""},
  Row{"recipients_total", "result=failed", ""},
  Row{"messages_settled_total", "result=delivered", "Messages whose last recipient was settled."},
  Row{"messages_settled_total", "result=failed", ""},
  Row{
    "possible_duplicates_total", "side=in",
    "Messages that may exist twice: the other side left before the last answer."
  },
  Row{"possible_duplicates_total", "side=out", ""},
  Row{"reports_total", "", "Reports to senders (bounces, delays, successes) that were made."},
  Row{"delivery_tls_total", "outcome=verified", "Outbound connections, by what TLS came to."},
  Row{"delivery_tls_total", "outcome=dane", ""},
  Row{"delivery_tls_total", "outcome=unverified", ""},
  Row{"delivery_tls_total", "outcome=none", ""},
  Row{"delivery_tls_total", "outcome=failed", ""},
  Row{
    "dns_lookups_total", "result=found",
    "Lookups in the DNS, of smarthosts, mail servers and their TLS policies: there was something, there is "
    "nothing, or no answer that may be believed came in time."
  },
  Row{"dns_lookups_total", "result=none", ""},
  Row{"dns_lookups_total", "result=failed", ""},
  Row{"signatures_total", "", "Messages that were signed (DKIM)."},
  Row{"connections_reused_total", "", "Messages sent over a connection that had carried one before."},
  Row{
    "delivery_connections_total", "result=ready",
    "Outbound connections, by whether they became ready for mail."
  },
  Row{"delivery_connections_total", "result=failed", ""},
  Row{"delivery_connections_tls_total", "", "Outbound connections with verified TLS."},
  Row{"credentials_refused_total", "", "Times a next hop refused our credentials, or asked for some."},
  Row{"spool_commits_total", "", "Messages and outcomes committed to the spool."},
  Row{"spool_syncs_total", "", "Disk syncs of the spool; fewer than commits when many come at a time."},
  Row{"spool_errors_total", "kind=full", "Writes to the spool that failed."},
  Row{"spool_errors_total", "kind=failed", ""},
  Row{"spool_quarantined_total", "", "Messages set aside because a record did not verify."},
  Row{"spool_repairs_total", "", "Starts at which the spool had to be repaired."},
  Row{
    "config_reloads_total", "result=applied", "Changed settings or credentials, by whether they are in force."
  },
  Row{"config_reloads_total", "result=refused", ""},
};
static_assert(kCounters.size() == static_cast<std::size_t>(Counter::count));

constexpr std::array kGauges{
  Row{"connections", "", "Inbound connections that are open."},
  Row{"delivery_connections", "", "Outbound connections that are open."},
  Row{
    "queue_messages", "",
    "Messages that wait for delivery; 0 until a relay that starts has counted them, which /readyz waits for."
  },
  Row{"queue_bytes", "", "Octets of content that wait for delivery."},
  Row{"failed_messages", "", "Messages kept in the spool because a recipient failed for good."},
  Row{"spool_free_bytes", "", "Free space of the spool's file system."},
  Row{"ready", "", "1 while new mail would be accepted."},
  Row{"draining", "", "1 while the relay is drained or stops."},
  Row{"mode", "mode=deliver", "1 for the mode of the relay: which mail leaves it."},
  Row{"mode", "mode=capture", ""},
  Row{"mode", "mode=redirect", ""},
  Row{"mode", "mode=allowlist", ""},
  Row{"durable", "", "1 when a 250 means synced to disk, 0 with durability: relaxed."},
  Row{"credentials_refused", "", "1 while a smarthost refuses our credentials."},
  Row{
    "users", "",
    "Users who may log in (AUTH); 0 also where no file names them, or there was no usable one yet."
  },
  Row{"log_records_dropped_total", "", "Log lines that gave way because standard output could not keep up."},
  Row{"start_time_seconds", "", "When the process started, in seconds since 1970."},
};
static_assert(kGauges.size() == static_cast<std::size_t>(Gauge::count));

constexpr std::array kDurations{
  Row{"spool_commit_seconds", "", "From handing a commit to the spool to its answer."},
  Row{"delivery_seconds", "", "From acceptance of a message to the delivery of its last recipient."},
  Row{"delivery_attempt_seconds", "", "From taking a message up for an attempt to its outcome."},
  Row{
    "milter_seconds", "",
    "From connecting to a content filter for a message to its last word, or to giving up."
  },
};
static_assert(kDurations.size() == static_cast<std::size_t>(Duration::count));

constexpr std::string_view kPrefix = "smtp_relay_";
constexpr std::string_view kRefusals = "refused_recipients_total";
constexpr std::string_view kRefusalsHelp = "Recipients that next hops deferred or refused, by why.";
constexpr std::string_view kDepth = "destination_messages";
constexpr std::string_view kDepthHelp =
  "Messages that wait, for each of the destinations with most; the rest as `other`.";
constexpr std::string_view kAge = "destination_oldest_seconds";
constexpr std::string_view kAgeHelp = "Age of the oldest of them that is in memory.";

constexpr std::string_view kPageHead = R"(# Metrics

Generated from the tables in `relay/metrics/exposition.cpp` by `smtp-relay --print-metrics`; do not edit.

Each relay answers `GET /metrics` on `metrics_listen` (in a pod port 9090; where it is not set, on the health listener).
Every series is there from the start with the value 0, but for those of destinations, of which there are at most 51 at a
time; the values of other labels are those below, and no address ever becomes one. Pods carry the annotations `prometheus.io/scrape`, `port` and `path`. The operator's metrics
are in [operator.md](operator.md).

| series | kind | meaning |
|---|---|---|
)";

constexpr std::string_view kPageTail = R"(
## What to watch

Alerts with their runbooks, and dashboards: [Monitoring](operations.md#monitoring). By hand:

| expression | says |
|---|---|
| `smtp_relay_ready == 0` | this node takes no mail; `/readyz` says why in words |
| `smtp_relay_credentials_refused == 1` | the smarthost refuses the credentials: mail waits until the Secret or the smarthost is mended |
| `smtp_relay_queue_messages` growing, `rate(smtp_relay_delivery_connections_total{result="failed"}[5m]) > 0` | the smarthost is not reached; `relayctl queue` shows its last answer |
| `increase(smtp_relay_spool_errors_total{kind="failed"}[5m]) > 0` | the disk fails: no mail is taken until it is mended and the pod restarted |
| `smtp_relay_failed_messages > 0` | mail failed that nobody can be told of (its sender is null); `relayctl queue list --state failed` shows it until `dead_letter_max_age` |
| `smtp_relay_durable == 0` | somebody switched the sync off: a power cut may lose mail |
)";

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// The family a row belongs to; rows of one name share one.
MetricFamily& family_of(std::vector<MetricFamily>& families, const Row& row, MetricType type) {
  const auto name = std::string(kPrefix) + std::string(row.name);
  if (families.empty() || families.back().name != name) {
    families.push_back({name, std::string(row.help), type, {}});
  }
  return families.back();
}

ClientMetric labelled(const Row& row) {
  ClientMetric metric;
  const auto equals = row.label.find('=');
  if (equals != std::string_view::npos) {
    metric.label.push_back(
      {std::string(row.label.substr(0, equals)), std::string(row.label.substr(equals + 1))}
    );
  }
  return metric;
}

void add_counters(const Registry& registry, std::vector<MetricFamily>& families) {
  for (std::size_t i = 0; i < kCounters.size(); ++i) {
    auto metric = labelled(kCounters[i]);
    metric.counter.value = static_cast<double>(registry.total(static_cast<Counter>(i)));
    family_of(families, kCounters[i], MetricType::Counter).metric.push_back(metric);
  }
}

void add_refusals(const Registry& registry, std::vector<MetricFamily>& families) {
  MetricFamily family{
    std::string(kPrefix) + std::string(kRefusals), std::string(kRefusalsHelp), MetricType::Counter, {}
  };
  for (const auto& [refusal, result] :
       {std::pair{Refusal::deferred, "deferred"}, std::pair{Refusal::failed, "failed"}}) {
    for (std::size_t i = 0; i < kBounceClasses.size(); ++i) {
      ClientMetric metric;
      metric.label = {{"class", std::string(kBounceClasses[i])}, {"result", result}};
      metric.counter.value = static_cast<double>(registry.total(refusal, i));
      family.metric.push_back(metric);
    }
  }
  families.push_back(std::move(family));
}

void add_depths(const std::vector<Depth>& depths, std::vector<MetricFamily>& families) {
  MetricFamily messages{
    std::string(kPrefix) + std::string(kDepth), std::string(kDepthHelp), MetricType::Gauge, {}
  };
  MetricFamily ages{std::string(kPrefix) + std::string(kAge), std::string(kAgeHelp), MetricType::Gauge, {}};
  for (const auto& depth : depths) {
    ClientMetric metric;
    metric.label = {{"destination", depth.destination}};
    metric.gauge.value = static_cast<double>(depth.messages);
    messages.metric.push_back(metric);
    metric.gauge.value = depth.oldest_seconds;
    ages.metric.push_back(metric);
  }
  families.push_back(std::move(messages));
  families.push_back(std::move(ages));
}

void add_gauges(const Registry& registry, std::vector<MetricFamily>& families) {
  for (std::size_t i = 0; i < kGauges.size(); ++i) {
    auto metric = labelled(kGauges[i]);
    const auto value = registry.read(static_cast<Gauge>(i));
    // Some come from outside as a running total: a counter to Prometheus, a gauge to us.
    const bool is_total = kGauges[i].name.ends_with("_total");
    (is_total ? metric.counter.value : metric.gauge.value) = value;
    family_of(families, kGauges[i], is_total ? MetricType::Counter : MetricType::Gauge)
      .metric.push_back(metric);
  }
}

void add_durations(const Registry& registry, std::vector<MetricFamily>& families) {
  for (std::size_t i = 0; i < kDurations.size(); ++i) {
    const auto histogram = registry.total(static_cast<Duration>(i));
    ClientMetric metric;
    std::uint64_t cumulative = 0;
    for (std::size_t bucket = 0; bucket < histogram.buckets.size(); ++bucket) {
      cumulative += histogram.buckets[bucket];
      const double bound =
        bucket < kBounds.size() ? kBounds[bucket] : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({cumulative, bound});
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = histogram.sum;
    family_of(families, kDurations[i], MetricType::Histogram).metric.push_back(metric);
  }
}

void append_rows(std::string& table, std::span<const Row> rows, std::string_view kind) {
  std::string_view help;
  for (const auto& row : rows) {
    if (!row.help.empty()) help = row.help;
    const auto label = row.label.empty() ? "" : "{" + std::string(row.label) + "}";
    const auto shown = row.name.ends_with("_total") ? "counter" : kind;
    table += "| `" + std::string(kPrefix) + std::string(row.name) + label + "` | " + std::string(shown) +
             " | " + std::string(help) + " |\n";
  }
}

}  // namespace

std::string exposition(
  const Registry& registry, const std::vector<Depth>& depths, const std::string& version
) {
  std::vector<MetricFamily> families;
  add_counters(registry, families);
  add_refusals(registry, families);
  add_depths(depths, families);
  add_gauges(registry, families);
  add_durations(registry, families);
  ClientMetric build;
  build.label.push_back({"version", version});
  build.gauge.value = 1;
  families.push_back(
    {std::string(kPrefix) + "build_info", "The program's version.", MetricType::Gauge, {build}}
  );
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, families);
  return text.str();
}

std::string metrics_page() {
  std::string page(kPageHead);
  append_rows(page, kCounters, "counter");
  append_rows(page, kGauges, "gauge");
  append_rows(page, kDurations, "histogram");
  const auto add =
    [&](std::string_view name, std::string_view label, std::string_view kind, std::string_view help) {
      page += "| `" + std::string(kPrefix) + std::string(name) + "{" + std::string(label) + "}` | " +
              std::string(kind) + " | " + std::string(help) + " |\n";
    };
  std::string classes;
  for (const auto name : kBounceClasses) classes += (classes.empty() ? "" : ", ") + std::string(name);
  add(
    kRefusals, "class,result", "counter",
    std::string(kRefusalsHelp) + " Result: deferred, failed. Class: " + classes + "."
  );
  add(kDepth, "destination", "gauge", kDepthHelp);
  add(kAge, "destination", "gauge", kAgeHelp);
  page += "| `smtp_relay_build_info{version}` | gauge | The program's version; always 1. |\n";
  return page + std::string(kPageTail);
}

}  // namespace relay::metrics

"""Every question of dashboards and alerts, asked of a Prometheus that scrapes the programs as docs/prometheus.yaml says."""

import monitoring
import pytest

# {panel: why it may show nothing here}
NOTHING_TO_SHOW = {
    "Watches, by resource": "a watch is counted when it ends, which takes minutes",
    "Watches and lists that failed": "as above, for the first of its two questions",
    "Degraded": "no relay is degraded",
}
# {selector of an alert: why there is no such series here}
NO_SERIES = {
    'smtp_relay_destination_oldest_seconds{destination!~"smarthost/.+"}': "the relay has a smarthost",
    'smtp_relay_destination_messages{destination!~"smarthost/.+"}': "the relay has a smarthost",
    "smtp_relay_operator_watch_operations_total": "a watch is counted when it ends, which takes minutes",
    "smtp_relay_operator_watch_operations_failed_total": "a watch is counted when it ends, which takes minutes",
    "smtp_relay_operator_degraded": "no relay is degraded",
    'rest_client_requests_total{code=~"401|403"}': "nothing was forbidden",
    'rest_client_requests_total{code=~"5..|429|<error>"}': "the API server answers",
}
RULES = monitoring.rules()


def test_the_annotations_of_pods_make_the_labels(prometheus):
    labels = [{key: found.get(key) for key in ("job", "namespace", "pod", "node", "relay")} for found in prometheus.targets()]
    assert sorted(labels, key=str) == sorted([
        {"job": "smtp-relay", "namespace": "mail", "pod": "edge-smtp-relay-1", "node": "node1", "relay": "edge"},
        {"job": "smtp-relay-operator", "namespace": "mail", "pod": "smtp-relay-operator-smtp-relay-operator-1",
         "node": "node2", "relay": None}], key=str)


@pytest.mark.parametrize("name", ["relay", "operator"])
def test_every_panel_shows_something(prometheus, name):
    queries = list(monitoring.queries(monitoring.dashboard(name)))
    for query in queries:
        prometheus.query(query.expression)
    prometheus.wait_for_data(query for query in queries if query.panel not in NOTHING_TO_SHOW)


def test_variables_have_values(prometheus):
    for name in ("relay", "operator"):
        for variable in monitoring.dashboard(name)["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = monitoring.filled(variable["definition"]).removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
                assert all(labels.get(label) for labels, _ in prometheus.query(selector)), variable["definition"]
                assert prometheus.query(selector), variable["definition"]


def test_every_alert_is_evaluated_and_none_that_wakes_somebody_fires(prometheus):
    states = prometheus.alerts()
    assert set(states) == set(RULES)
    critical = {name for name, rule in RULES.items() if rule["labels"]["severity"] == "critical"}
    assert {name for name in critical if states[name] != "inactive"} == set()


@pytest.mark.parametrize("name", RULES)
def test_an_alert_looks_at_series_that_exist(prometheus, name):
    selectors = [each for each in monitoring.selectors(RULES[name]["expr"])
                 if each not in NO_SERIES and monitoring.metrics(each).isdisjoint(monitoring.FOREIGN - {"up"})]
    for selector in selectors:
        assert prometheus.query(selector), selector


def test_what_is_excused_is_asked_for():
    asked = {selector for rule in RULES.values() for selector in monitoring.selectors(rule["expr"])}
    shown = {panel["title"] for name in ("relay", "operator") for panel in monitoring.panels(monitoring.dashboard(name))}
    assert set(NO_SERIES) <= asked and set(NOTHING_TO_SHOW) <= shown

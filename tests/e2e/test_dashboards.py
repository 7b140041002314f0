"""What a Prometheus sees that scrapes the cluster's pods by their annotations: the dashboards show it, the alerts judge it."""

import estate
import monitoring
import pytest
import smarthost
from cluster import NODES
from estate import BALANCER
from prometheus import Prometheus, pod
from traffic import Traffic
from waiting import wait_until

MESSAGES = 60
# {panel: why it may show nothing here}
NOTHING_TO_SHOW = {
    "Messages that wait, by destination": "all is delivered",
    "Oldest message, by destination": "all is delivered",
    "Deferred, by class": "nothing was put off",
    "Failed for good, by class": "nothing failed",
    "How long content filters take": "there are none",
    "Degraded": "no relay is degraded",
    "Watches, by resource": "a young operator's first watches have not ended yet",
    "Watches and lists that failed": "a young operator's first watches have not ended yet",
}


@pytest.fixture
def prometheus(in_order, tmp_path):
    """It runs on this machine, from which pods can be reached."""
    pods = [*estate.pods().values(), estate.operator_pod()]
    with Prometheus(tmp_path, [pod(each) for each in pods]) as prometheus:
        wait_until(lambda: len(prometheus.targets()) == len(pods), 30, "each pod is scraped, once")
        # A rate wants to have seen what was before: each counter of each pod.
        wait_until(lambda: prometheus.query("count(count_over_time(smtp_relay_build_info[1m]) > 1)") == [({}, len(NODES))] and
                   prometheus.has_data("count_over_time(controller_runtime_active_workers[1m]) > 1"), 30, "two scrapes of each")
        yield prometheus


def test_every_pod_is_scraped_under_the_labels_that_alerts_group_by(prometheus):
    found = [{key: labels.get(key) for key in ("job", "namespace", "pod", "node", "relay")} for labels in prometheus.targets()]
    operator = estate.operator_pod()
    expected = [{"job": "smtp-relay", "namespace": estate.NAMESPACE, "pod": name, "node": node, "relay": estate.NAME}
                for node, name in estate.names(estate.pods()).items()]
    expected.append({"job": estate.OPERATOR, "namespace": estate.NAMESPACE, "pod": operator["metadata"]["name"],
                     "node": operator["spec"]["nodeName"], "relay": None})
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_every_panel_shows_something_and_nobody_is_woken(prometheus):
    # Something for the operator to do, and for the relays.
    estate.put_in_force(limits={"maxMessageSize": "8Mi"})
    with Traffic(BALANCER, MESSAGES, "dashboard", every=0.1) as traffic:
        traffic.finish(60)
    wait_until(lambda: len(smarthost.deliveries()) == MESSAGES, 60, "all of them in the mailbox")
    wait_until(lambda: prometheus.query('sum(increase(smtp_relay_recipients_total{result="delivered"}[5m]) > 0)')[0][1] > MESSAGES / 2,
               30, "Prometheus has seen it")
    for name in ("relay", "operator"):
        queries = list(monitoring.queries(monitoring.dashboard(name)))
        for query in queries:
            prometheus.query(query.expression)
        prometheus.wait_for_data(query for query in queries if query.panel not in NOTHING_TO_SHOW)
    rules, states = monitoring.rules(), prometheus.alerts()
    assert set(states) == set(rules)
    assert [name for name, rule in rules.items() if rule["labels"]["severity"] == "critical" and states[name] == "firing"] == []
    assert prometheus.query("sum(smtp_relay_ready)") == [({}, len(NODES))]

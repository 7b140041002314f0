"""What is made beside a relay: a NetworkPolicy with which mail flows, and monitoring where its kinds are."""

import cluster
import estate
import monitoring_kinds
import pytest
from cluster import NODES, kubectl
from estate import BALANCER, NAMESPACE
from traffic import Traffic
from waiting import wait_until

NAME = "edge-smtp-relay"


def names(kind):
    return kubectl("-n", NAMESPACE, "get", kind, "-o", "name", check=False).split()


@pytest.fixture
def monitoring():
    """The kinds of the Prometheus operator, for the time of a test."""
    definitions = [monitoring_kinds.definition(plural) for plural in monitoring_kinds.KINDS]
    for each in definitions:
        cluster.apply(each)
    yield
    for each in definitions:
        kubectl("delete", "crd", each["metadata"]["name"])


def test_mail_flows_under_a_network_policy():
    """The network of this cluster enforces none: that it is one, and disturbs nothing, is all that is seen here."""
    before = estate.restarts(estate.pods())
    estate.apply(networkPolicy="Managed")
    wait_until(lambda: f"networkpolicy.networking.k8s.io/{NAME}" in names("networkpolicy"), 20, "it is made")
    with Traffic(BALANCER, 6, "policy") as traffic:
        traffic.finish(60)
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "all of them in the mailbox")
    assert estate.restarts(estate.pods()) == before, "no pod was replaced"
    selected = cluster.get("networkpolicy", "-n", NAMESPACE, NAME)["spec"]["podSelector"]["matchLabels"]
    assert len(cluster.pods(NAMESPACE, ",".join(f"{key}={value}" for key, value in selected.items()))) == len(NODES)
    estate.apply()
    wait_until(lambda: not names("networkpolicy"), 20, "it is removed")


def test_monitoring_is_there_as_soon_as_its_kinds_are(monitoring):
    wait_until(lambda: names("podmonitor") and names("prometheusrule"), 60, "both are made")
    monitor = cluster.get("podmonitor", "-n", NAMESPACE, NAME)["spec"]
    pods = cluster.pods(NAMESPACE, ",".join(f"{key}={value}" for key, value in monitor["selector"]["matchLabels"].items()))
    assert len(pods) == len(NODES)
    ports = {port["name"] for port in pods[0]["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports
    kubectl("-n", NAMESPACE, "delete", "podmonitor", NAME)
    wait_until(lambda: names("podmonitor"), 10, "it is back")
    estate.apply(metrics={"podMonitor": "Never", "rules": "Never"})
    wait_until(lambda: not names("podmonitor") and not names("prometheusrule"), 20, "both are removed")

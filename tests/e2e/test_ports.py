"""Two relays that want one port of the same nodes."""

import cluster
import estate
import pytest
from cluster import NODES, kubectl
from estate import BALANCER, NAMESPACE
from traffic import Traffic
from waiting import stays_true, wait_until

RIVAL = "rival"
SELECTOR = f"app.kubernetes.io/name=smtp-relay,app.kubernetes.io/instance={RIVAL}"


def rival():
    """As `edge` in all but its name."""
    manifest = estate.relay()
    manifest["metadata"]["name"] = RIVAL
    return manifest


def pods_of_rival():
    """Those that wait, and those on their way out, too."""
    return cluster.get("pods", "-n", NAMESPACE, "-l", SELECTOR)


def status_of_rival():
    return cluster.get("smr", "-n", NAMESPACE, RIVAL).get("status", {})


def condition_of_rival(kind):
    found = [each for each in status_of_rival().get("conditions", []) if each["type"] == kind]
    return found[0] if found else {"status": "", "reason": "", "message": ""}


@pytest.fixture
def a_rival():
    cluster.apply(rival())
    yield
    kubectl("-n", NAMESPACE, "delete", "smr", RIVAL, "--ignore-not-found")
    wait_until(lambda: not pods_of_rival(), 90, "the rival's pods are gone")
    # It may have had the nodes: the next test finds all as it was.
    estate.apply()


def test_the_first_relay_keeps_its_ports_and_the_other_has_them_when_it_goes(a_rival):
    before = estate.restarts(estate.pods())
    wait_until(lambda: condition_of_rival("PortAvailable")["reason"] == "PortTaken", 30, "the other says so")
    message = condition_of_rival("PortAvailable")["message"]
    assert message.startswith(f"{len(NODES)} of {len(NODES)} nodes left to others: SmtpRelay {NAMESPACE}/edge has port 25 of node1"), message
    wait_until(lambda: condition_of_rival("Ready")["reason"] == "PortTaken", 30, "and that it is not ready for that reason")
    with Traffic(BALANCER, 10, "first") as traffic:
        stays_true(lambda: not pods_of_rival(), 10, "no pod is made that could only wait")
        traffic.finish(60)
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "mail flows through the first")
    assert estate.restarts(estate.pods()) == before
    assert estate.condition("PortAvailable")["reason"] == "NoConflict"

    kubectl("-n", NAMESPACE, "delete", "smr", estate.NAME)
    wait_until(lambda: not cluster.get("pods", "-n", NAMESPACE, "-l", estate.SELECTOR), 90, "the first is gone")
    wait_until(lambda: status_of_rival().get("availableNodes") == len(NODES), 120, "the other takes over every node")
    wait_until(lambda: condition_of_rival("PortAvailable")["status"] == "True", 30, "and says so")
    wait_until(lambda: set(cluster.load_balancer().values()) == {"UP"}, 30, "the load balancer sees it")
    with Traffic(BALANCER, 10, "second") as traffic:
        traffic.finish(60)
    wait_until(lambda: traffic.subjects <= set(estate.subjects()), 30, "mail flows through the other")

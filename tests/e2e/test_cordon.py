"""A node that is cordoned: its relay drains, without a restart, and comes back."""

import cluster
import estate
import pytest
from cluster import ADDRESS, NODES, kubectl
from estate import BALANCER
from traffic import Traffic
from waiting import wait_until

NODE = "node2"
WORDS = "drained while its node is cordoned (unschedulable)"


@pytest.fixture
def uncordoned():
    yield
    for node in NODES:
        kubectl("uncordon", node)
    wait_until(lambda: set(cluster.load_balancer().values()) == {"UP"}, 30, "every relay is back")


def health(node):
    """Its status line, and what it says."""
    answer = estate.say(ADDRESS[node], 8025, "GET /health HTTP/1.0", "")
    return answer.splitlines()[0], answer


def test_a_cordoned_nodes_relay_drains_and_comes_back(uncordoned):
    before = estate.restarts(estate.pods())
    with Traffic(BALANCER, 20, "cordon", every=0.5) as traffic:
        kubectl("cordon", NODE)
        wait_until(lambda: "503" in health(NODE)[0], 10, "/health is 503")
        assert WORDS in health(NODE)[1]
        # Within the lame duck, 5 s here: who was sent there, or comes by the node's address, is served.
        estate.submit("a@mail.test", "b@mail.test", subject="late", host=ADDRESS[NODE])
        wait_until(lambda: cluster.load_balancer()[NODE] == "DOWN", 20, "the load balancer leaves it out")
        wait_until(lambda: estate.condition("CordonAware")["reason"] == "NodesCordoned", 10, "the condition says so")
        assert f"{NODE} (unschedulable)" in estate.condition("CordonAware")["message"]
        wait_until(lambda: {"node": NODE, "reason": "Cordoned"} in estate.resource()["status"].get("degradedNodes", []), 20,
                   "the status says why it takes no mail")
        assert estate.condition("Degraded")["status"] == "False", "somebody wants it so"
        traffic.finish(60)
    wait_until(lambda: sorted(estate.subjects()) == sorted([*traffic.subjects, "late"]), 30, "nothing was lost meanwhile")
    assert all("200" in health(node)[0] for node in NODES if node != NODE)
    kubectl("uncordon", NODE)
    wait_until(lambda: "200" in health(NODE)[0], 10, "/health is 200")
    wait_until(lambda: cluster.load_balancer()[NODE] == "UP", 20, "it is back")
    wait_until(lambda: estate.condition("CordonAware")["reason"] == "NoNodeCordoned", 10, "the condition says so")
    assert estate.restarts(estate.pods()) == before, "no pod was restarted"
    assert [record["reason"] for record in estate.records(estate.pods()[NODE], "cordon")][-1] == "unschedulable"

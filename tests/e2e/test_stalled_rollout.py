"""Rollouts that can't go on: what is said, that mail goes on meanwhile, and that the spec mended lets them end."""

import cluster
import estate
import pytest
from cluster import NODES, kubectl
from estate import BALANCER, NAMESPACE
from traffic import Traffic
from waiting import wait_until

QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-more", "namespace": NAMESPACE},
         "spec": {"hard": {"pods": "0"}}}


def events(reason):
    """Notes of what was told of the relay by this reason."""
    found = cluster.get("events.events.k8s.io", "-n", NAMESPACE)
    return [event["note"] for event in found
            if event["reason"] == reason and event["regarding"]["kind"] == "SmtpRelay"
            and event["regarding"]["uid"] == estate.resource()["metadata"]["uid"]]


def times_told(reason):
    found = cluster.get("events.events.k8s.io", "-n", NAMESPACE)
    return sum(event.get("series", {}).get("count", 1) for event in found
               if event["reason"] == reason and event["regarding"]["kind"] == "SmtpRelay")


def mail_flows(name):
    with Traffic(BALANCER, 20, name, every=0.1) as traffic:
        traffic.finish(60)
    wait_until(lambda: traffic.subjects <= set(estate.subjects()), 60, "all of it is in the mailbox")


def wait_for(kind, status, reason, seconds):
    def said():
        found = estate.condition(kind)
        assert (found["status"], found["reason"]) == (status, reason), found
        return found["message"]
    return wait_until(said, seconds, f"{kind} is {status}, {reason}", every=1)


@pytest.mark.parametrize("change, words", [
    ({"image": "localhost/no-such-relay:1"}, ("ImagePull", "ErrImage")),
    # The container begins, and can't hold its own program.
    ({"resources": {"requests": {"memory": "2Mi"}, "limits": {"memory": "2Mi"}}},
     ("CrashLoopBackOff", "OOMKilled", "Error", "RunContainerError", "CreateContainerError", "StartError")),
], ids=["an image that can't be pulled", "pods that crash"])
def test_a_rollout_that_stalls_says_so_leaves_the_other_nodes_their_mail_and_goes_on_when_mended(change, words):
    before = estate.restarts(estate.pods())
    told = times_told("RolloutStalled")
    estate.apply(rollout={"stallAfter": "1m"}, **change)
    message = wait_for("Progressing", "False", "RolloutStalled", 240)
    assert "no progress for 1m" in message and any(word in message for word in words), message
    assert wait_for("Degraded", "True", "RolloutStalled", 10) or True
    assert any(word in estate.condition("Degraded")["message"] for word in words), estate.condition("Degraded")
    wait_until(lambda: times_told("RolloutStalled") > told, 30, "it is told")

    present = estate.restarts(estate.pods())
    untouched = [node for node in NODES if present.get(node) == before[node]]
    assert len(untouched) == len(NODES) - 1, "one node at a time, and no further"
    status = estate.resource()["status"]
    assert status["availableNodes"] == len(NODES) - 1 and [each["node"] for each in status["degradedNodes"]] == sorted(
        set(NODES) - set(untouched)), status
    # The load balancer has left the node out.
    wait_until(lambda: {cluster.load_balancer()[node] for node in untouched} == {"UP"}, 30, "the others are in")
    mail_flows("stalled")

    estate.apply()
    estate.wait_until_ready(240)
    wait_for("Progressing", "False", "RolloutComplete", 60)
    wait_for("Degraded", "False", "AsExpected", 30)
    after = estate.restarts(estate.pods())
    assert {node: after[node] for node in untouched} == {node: before[node] for node in untouched}, "no pod for nothing"
    mail_flows("mended")


def test_pods_that_a_quota_refuses_are_told_in_the_servers_words():
    cluster.apply(QUOTA)
    try:
        wait_until(lambda: "pods" in cluster.get("resourcequota", "-n", NAMESPACE, "no-more").get("status", {}).get("hard", {}), 30,
                   "the quota is in force")
        kubectl("-n", NAMESPACE, "delete", "pod", "--wait=false", estate.pods()["node1"]["metadata"]["name"])
        message = wait_for("Degraded", "True", "FailedCreate", 120)
        assert "exceeded quota: no-more" in message, message
        assert "exceeded quota: no-more" in estate.condition("Ready")["message"]
        wait_until(lambda: [note for note in events("FailedCreate") if "exceeded quota: no-more" in note], 30, "it is told")
        mail_flows("quota")
    finally:
        kubectl("-n", NAMESPACE, "delete", "resourcequota", "no-more")
    estate.wait_until_ready(180)
    wait_for("Degraded", "False", "AsExpected", 30)

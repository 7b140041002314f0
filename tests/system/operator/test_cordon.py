"""What the operator makes of cordoned nodes; and of nodes that it may not see."""

import pytest
from waiting import stays_true, wait_until
from world import CORE, RELAYS

NODES = "/api/v1/nodes"
MARK = "smtp.buildinglink.com/cordoned"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/mail:smtp-relay-operator:nodes"


@pytest.fixture
def nodes(mail):
    """Two nodes, as a kubelet would have made them."""
    names = ("node-1", "node-2")
    for name in names:
        mail.api.create(NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}}})
    yield names
    for name in names:
        mail.api.delete(f"{NODES}/{name}")


def edge_with_pods(mail, *flags):
    """A running operator, and a relay with a pod on each of the nodes."""
    operator = mail.operator("operator-a", *flags)
    mail.apply()
    mail.wait_for_children()
    mail.pod("edge-1", node="node-1")
    mail.pod("edge-2", node="node-2")
    return operator


def mark(mail, pod):
    return mail.api.get(f"{CORE}/pods/{pod}")["metadata"].get("annotations", {}).get(MARK)


def cordon(mail, node, is_cordoned=True):
    mail.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": is_cordoned or None}})


def looks(operator):
    """How often the operator looked at a relay."""
    text = operator.http(operator.metrics_port, "/metrics")[1]
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("controller_runtime_reconcile_total{"))


def test_a_cordon_marks_the_pods_of_the_node_and_uncordon_unmarks_them(mail, nodes):
    edge_with_pods(mail)
    mail.api.patch(f"{CORE}/pods/edge-1", {"metadata": {"annotations": {"smtp.buildinglink.com/drain": "by a person"}}})
    assert mail.wait_for_condition("CordonAware", "True", "NoNodeCordoned") == "no node with a relay is cordoned"
    template = mail.child("DaemonSet")["metadata"]["generation"]
    cordon(mail, "node-1")
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")
    assert mark(mail, "edge-2") is None
    assert "node-1 (unschedulable)" in mail.wait_for_condition("CordonAware", "True", "NodesCordoned")
    assert "node-1 (unschedulable)" in mail.wait_for_event("Normal", "NodesCordoned")
    # What somebody takes away comes back.
    mail.api.patch(f"{CORE}/pods/edge-1", {"metadata": {"annotations": {MARK: None}}})
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told again")
    cordon(mail, "node-1", False)
    wait_until(lambda: mark(mail, "edge-1") is None, 5, "the mark is gone")
    mail.wait_for_condition("CordonAware", "True", "NoNodeCordoned")
    annotations = mail.api.get(f"{CORE}/pods/edge-1")["metadata"]["annotations"]
    assert annotations["smtp.buildinglink.com/drain"] == "by a person"
    assert mail.child("DaemonSet")["metadata"]["generation"] == template, "no pod restarts"


@pytest.mark.parametrize("key", ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"])
def test_a_node_that_a_program_takes_away_is_cordoned(mail, nodes, key):
    edge_with_pods(mail)
    mail.api.patch(f"{NODES}/node-2", {"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}})
    wait_until(lambda: mark(mail, "edge-2") == key, 5, "the pod is told why")
    assert mark(mail, "edge-1") is None
    mail.api.patch(f"{NODES}/node-2", {"spec": {"taints": None}})
    wait_until(lambda: mark(mail, "edge-2") is None, 5, "the mark is gone")


def test_a_pod_made_anew_on_a_cordoned_node_is_told_again(mail, nodes):
    edge_with_pods(mail)
    cordon(mail, "node-1")
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")
    mail.api.request("DELETE", f"{CORE}/pods/edge-1", {"gracePeriodSeconds": 0})
    mail.pod("edge-3", node="node-1")
    wait_until(lambda: mark(mail, "edge-3") == "unschedulable", 5, "its successor is told")


def test_a_relay_that_should_not_heed_cordons_is_left_alone(mail, nodes):
    edge_with_pods(mail)
    cordon(mail, "node-1")
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"drain": {"cordonAware": False}}})
    wait_until(lambda: mark(mail, "edge-1") is None, 5, "the mark is gone")
    mail.wait_for_condition("CordonAware", "False", "Off")
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"managementState": "Paused", "drain": {"cordonAware": True}}})
    mail.wait_for_condition("CordonAware", "False", "Paused")
    assert mark(mail, "edge-1") is None, "nor is one that is paused"
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"managementState": "Managed"}})
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")


def test_a_cordon_is_told_whatever_else_is_wrong(mail, nodes):
    edge_with_pods(mail)
    mail.apply(passwdClientSecretRef={"name": "missing"})
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    cordon(mail, "node-1")
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")


def test_a_heartbeat_of_a_node_is_no_reason_to_look(mail, nodes):
    operator = edge_with_pods(mail)
    # Stamps settle a second after the last change.
    wait_until(lambda: all("smtp.buildinglink.com/reload" in mail.api.get(f"{CORE}/pods/{pod}")["metadata"]["annotations"]
                           for pod in ("edge-1", "edge-2")), 10, "the pods are stamped")
    mail.wait_for_condition("CordonAware", "True", "NoNodeCordoned")

    def is_at_rest():
        before = looks(operator)
        stays_true(lambda: looks(operator) == before, 2, "the operator is at rest")
        return True
    wait_until(is_at_rest, 20, "the operator is at rest")
    before = looks(operator)
    for beat in range(10):
        mail.api.patch(f"{NODES}/node-1/status", {"status": {"conditions": [
            {"type": "Ready", "status": "True", "reason": f"Beat{beat}", "message": "", "lastHeartbeatTime": "2026-01-31T12:00:00Z",
             "lastTransitionTime": "2026-01-31T12:00:00Z"}]}})
    # The watch has brought them all: what comes behind them does wake it.
    cordon(mail, "node-1")
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 5, "the pod is told")
    # The cordon, the mark and the pod's change: far less than one for each heartbeat.
    assert looks(operator) - before <= 5, looks(operator) - before


def test_without_the_right_to_see_nodes_all_else_works_and_a_right_is_noticed(mail, nodes, plane):
    binding = plane.api.get(BINDING)
    plane.api.delete(BINDING)
    try:
        cordon(mail, "node-1")
        operator = edge_with_pods(mail)
        assert operator.http(operator.health_port, "/readyz") == (200, "ok\n")
        message = mail.wait_for_condition("CordonAware", "Unknown", "Forbidden")
        assert "grant list and watch on nodes" in message
        assert "grant list and watch on nodes" in mail.wait_for_event("Warning", "Forbidden")
        missing = wait_until(lambda: operator.records("right_missing"), 10, "the log names the right")
        assert {(record["resource"], record["verb"], record["namespace"]) for record in missing} == {
            ("nodes", "list", ""), ("nodes", "watch", "")}
        mail.apply(limits={"maxMessageSize": "5Mi"})
        wait_until(lambda: "5Mi" in mail.settings(), 10, "settings are applied")
        assert mark(mail, "edge-1") is None
        metrics = operator.http(operator.metrics_port, "/metrics")[1]
        assert 'code="403"' not in metrics, "it asks for the right instead of being refused"
        assert operator.http(operator.health_port, "/healthz") == (200, "ok\n")
        assert [event[:2] for event in mail.events()].count(("Warning", "Forbidden")) == 1
    finally:
        plane.api.create(BINDING.rsplit("/", 1)[0], {key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")} | {
            "metadata": {"name": binding["metadata"]["name"]}})
    wait_until(lambda: mark(mail, "edge-1") == "unschedulable", 90, "the right is noticed")
    assert "node-1" in mail.wait_for_condition("CordonAware", "True", "NodesCordoned")

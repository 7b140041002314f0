"""Relays that want one port of one node."""

import copy
import time

import pytest
from waiting import stays_true, wait_until
from world import CORE, DAEMON_SETS, RELAYS

NODES = "/api/v1/nodes"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/mail:smtp-relay-operator:nodes"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NO_NODE = [{}]


@pytest.fixture(autouse=True)
def nodes(mail):
    """Three nodes, as kubelets would have made them."""
    names = [f"node-{number}" for number in (1, 2, 3)]
    for name in names:
        mail.api.create(NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", "pool": name}}})
    yield names
    for name in names:
        if mail.api.find(f"{NODES}/{name}"):
            mail.api.delete(f"{NODES}/{name}")


def daemon_set(mail, name):
    return mail.api.find(f"{DAEMON_SETS}/{name}-smtp-relay")


def terms(mail, name):
    """The terms of the required node affinity; nothing where there are none."""
    pod = daemon_set(mail, name)["spec"]["template"]["spec"]
    return pod.get("affinity", {}).get("nodeAffinity", {}).get(REQUIRED, {}).get("nodeSelectorTerms")


def without(*names):
    return [{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": [name]} for name in names]}]


def pod_that_waits(mail, name, node):
    """A pod of `edge` as the DaemonSet controller makes it for a node; the scheduler has not bound it."""
    owner = mail.child("DaemonSet")
    template = copy.deepcopy(owner["spec"]["template"])
    template["spec"]["affinity"] = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}}}
    mail.api.create(f"{CORE}/pods", {
        "metadata": {"name": name, **template["metadata"], "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": True}]},
        "spec": template["spec"]})


def exists(mail, name):
    wait_until(lambda: daemon_set(mail, name), 10, f"{name} has a DaemonSet")


def comes_to(mail, name, wanted):
    wait_until(lambda: terms(mail, name) == wanted, 10, f"{name} has {wanted}; now {terms(mail, name)}")


def one_and_other(mail, **one):
    """A relay that has its ports, and another that wants them too."""
    created = mail.apply("one", **one)["metadata"]["creationTimestamp"]
    exists(mail, "one")
    # Of the same second the UIDs would decide.
    wait_until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > created, 5, "a later second")
    mail.apply("other")
    exists(mail, "other")


def test_the_later_relay_leaves_the_nodes_to_the_first_and_has_them_when_it_goes(mail):
    mail.operator()
    one_and_other(mail)
    message = mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    assert message.startswith("3 of 3 nodes left to others: SmtpRelay mail/one has port 25 of node-1, node-2, node-3; "), message
    assert terms(mail, "other") == NO_NODE, "from the beginning: no pod is made, not even one that waits"
    assert daemon_set(mail, "other")["metadata"]["generation"] == 1
    assert "SmtpRelay mail/one has port 25" in mail.wait_for_event("Warning", "PortTaken", "other")
    mail.wait_for_condition("PortAvailable", "True", "NoConflict", "one")
    assert terms(mail, "one") is None
    mail.api.delete(f"{RELAYS}/one")
    comes_to(mail, "other", None)
    mail.wait_for_condition("PortAvailable", "True", "NoConflict", "other")
    mail.wait_for_event("Normal", "NoConflict", "other")


def test_a_relay_leaves_out_only_the_nodes_that_another_has(mail):
    mail.operator()
    one_and_other(mail, nodeSelector={"pool": "node-2"})
    comes_to(mail, "other", without("node-2"))
    assert "1 of 3 nodes left to others" in mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    # Another node at that.
    mail.api.patch(f"{NODES}/node-3", {"metadata": {"labels": {"pool": "node-2"}}})
    comes_to(mail, "other", without("node-2", "node-3"))
    # The first takes other ports.
    mail.apply("one", nodeSelector={"pool": "node-2"}, network={"port": 2525}, health={"hostPort": 8125})
    comes_to(mail, "other", None)


def test_the_port_of_probes_counts_and_addresses_of_their_own_do_not_clash(mail):
    mail.operator()
    one_and_other(mail, network={"port": 2525})
    message = mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    assert "SmtpRelay mail/one has port 8025 of" in message, message
    mail.apply("one", network={"hostIP": "192.0.2.1"})
    assert "has port 25 of" in wait_until(lambda: "port 25" in mail.condition("PortAvailable", "other")[2] and
                                          mail.condition("PortAvailable", "other")[2], 10, "an address clashes with all")
    mail.apply("other", network={"hostIP": "192.0.2.2"})
    mail.wait_for_condition("PortAvailable", "True", "NoConflict", "other")
    comes_to(mail, "other", None)


def test_who_has_the_port_keeps_it_from_an_older_one_that_takes_it_up(mail):
    mail.operator()
    mail.apply("one", network={"port": 2525}, health={"hostPort": 8125})
    exists(mail, "one")
    mail.apply("other")
    exists(mail, "other")
    mail.apply("one")
    mail.wait_for_condition("PortAvailable", "False", "PortTaken", "one")
    comes_to(mail, "one", NO_NODE)
    assert terms(mail, "other") is None
    assert daemon_set(mail, "other")["metadata"]["generation"] == 1


def test_a_relay_of_which_nothing_is_applied_keeps_nobody_from_a_port(mail):
    mail.operator()
    mail.apply("one", passwdClientSecretRef={"name": "missing"})
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound", "one")
    mail.apply("other")
    exists(mail, "other")
    comes_to(mail, "other", None)
    mail.wait_for_condition("PortAvailable", "True", "NoConflict", "other")
    # Once it may be applied, the other has the port.
    mail.secret("missing", **{"passwd.client": "smtp.test:user:x"})
    exists(mail, "one")
    comes_to(mail, "one", NO_NODE)
    assert terms(mail, "other") is None


def test_what_was_decided_stays_across_a_restart_and_while_nodes_come_and_go(mail):
    operator = mail.operator()
    one_and_other(mail, nodeSelector={"pool": "node-2"})
    comes_to(mail, "other", without("node-2"))
    mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    versions = mail.versions()
    assert operator.stop() == 0
    operator = mail.operator()
    wait_until(operator.is_leading, 10, "the next one leads")
    stays_true(lambda: mail.versions() == versions, 3, "nothing is written again")
    generation = daemon_set(mail, "other")["metadata"]["generation"]
    mail.api.delete(f"{NODES}/node-2")
    mail.wait_for_condition("PortAvailable", "True", "NoConflict", "other")
    assert daemon_set(mail, "other")["metadata"]["generation"] == generation, "no pod restarts for a node that is gone"
    mail.api.create(NODES, {"metadata": {"name": "node-2", "labels": {"kubernetes.io/os": "linux", "pool": "node-2"}}})
    mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    assert daemon_set(mail, "other")["metadata"]["generation"] == generation, "nor for one that comes back"


def test_a_paused_relay_is_told_and_left_as_it_is(mail):
    mail.operator()
    mail.apply("other", network={"port": 2525}, health={"hostPort": 8125})
    exists(mail, "other")
    mail.apply("one")
    exists(mail, "one")
    mail.apply("other", managementState="Paused")
    mail.wait_for_condition("PortAvailable", "False", "PortTaken", "other")
    assert terms(mail, "other") is None
    mail.apply("other", network={"mode": "ClusterOnly"}, managementState="Paused")
    mail.wait_for_condition("PortAvailable", "True", "NotNeeded", "other")


def test_without_the_right_to_see_nodes_a_pod_that_waits_for_its_port_tells(mail, plane):
    binding = plane.api.get(BINDING)
    plane.api.delete(BINDING)
    try:
        mail.operator()
        mail.apply()
        mail.wait_for_children()
        assert "grant list and watch on nodes" in mail.wait_for_condition("PortAvailable", "Unknown", "Forbidden")
        pod_that_waits(mail, "edge-1", "node-1")
        mail.pod_says("edge-1", None, phase="Pending", conditions=[{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."}])
        message = mail.wait_for_condition("PortAvailable", "False", "PortTaken")
        assert "a pod waits on 1 node for a port that another pod has: node-1" in message, message
        mail.api.request("DELETE", f"{CORE}/pods/edge-1", {"gracePeriodSeconds": 0})
    finally:
        plane.api.create(BINDING.rsplit("/", 1)[0], {key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")} | {
            "metadata": {"name": binding["metadata"]["name"]}})

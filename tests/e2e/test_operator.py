"""What the operator keeps so, what it refuses, and what it writes when it has been away."""

import json
import os
import signal
import time

import cluster
import estate
import pytest
import smarthost
from cluster import ADDRESS, NODES, kubectl
from estate import BALANCER, NAMESPACE, OPERATOR
from traffic import Traffic
from waiting import stays_empty, wait_until

DAEMON_SET = estate.CHILDREN["daemonset"]


def pod_spec():
    return cluster.get("daemonset", "-n", NAMESPACE, DAEMON_SET)["spec"]["template"]["spec"]


@pytest.mark.parametrize("edit", [
    [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example.net/other:1"}],
    [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "sidecar", "image": "localhost/pause:1"}}],
    [{"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"}],
], ids=["another image", "a sidecar", "a removed probe"])
def test_a_daemon_set_edited_by_hand_goes_back(edit):
    before = pod_spec()
    kubectl("-n", NAMESPACE, "patch", "daemonset", DAEMON_SET, "--type=json", "-p", json.dumps(edit))
    edited = time.monotonic()
    wait_until(lambda: pod_spec() == before, 5, "it is as before", every=0.1)
    print(f"back after {time.monotonic() - edited:.1f} s, kubectl's own time included")


def test_a_resource_that_the_schema_forbids_is_refused():
    with pytest.raises(cluster.Failed, match="an open relay is not offered"):
        estate.apply(access={"allowedNetworks": ["0.0.0.0/0"]})
    with pytest.raises(cluster.Failed, match="tls.mode Implicit"):
        estate.apply(smarthosts=[{"name": "primary", "host": "smtp.test", "port": 465}])


def test_settings_that_the_relay_would_refuse_are_reported_while_the_last_good_ones_run_on():
    before = estate.restarts(estate.pods())
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad", "namespace": NAMESPACE},
                   "data": {"SMTP_RELAY_MAX_RECIPIENTS": "many"}})
    estate.apply(envFrom=[{"configMapRef": {"name": "bad"}}], limits={"maxMessageSize": "7Mi"})
    wait_until(lambda: estate.condition("ConfigValid")["status"] == "False", 15, "ConfigValid is False")
    told = estate.condition("ConfigValid")
    assert told["reason"] == "InvalidSettings" and "SMTP_RELAY_MAX_RECIPIENTS" in told["message"], told
    assert estate.condition("Ready")["reason"] == "LastGoodConfiguration", estate.condition("Ready")
    with Traffic(BALANCER, 6, "good") as traffic:
        traffic.finish(60)
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "mail flows as before")
    assert "7Mi" not in kubectl("-n", NAMESPACE, "get", "configmap", estate.CHILDREN["configmap"], "-o", "yaml")
    assert estate.restarts(estate.pods()) == before


def test_a_changed_limit_is_in_force_without_a_restart():
    before = estate.restarts(estate.pods())
    seconds = estate.put_in_force(limits={"maxMessageSize": "1Mi"})
    print(f"in force on every node after {seconds:.1f} s")
    assert seconds < 10
    for node in NODES:
        assert "SIZE 1048576" in estate.say(ADDRESS[node], 25, "EHLO x", "QUIT")
    assert estate.restarts(estate.pods()) == before


def test_the_drain_annotation_takes_a_node_out_and_back():
    pod = estate.pods()["node1"]["metadata"]["name"]
    kubectl("-n", NAMESPACE, "annotate", "pod", pod, "smtp.buildinglink.com/drain=maintenance")
    wait_until(lambda: cluster.load_balancer()["node1"] == "DOWN", 20, "the load balancer leaves it out")
    assert "503" in estate.say(ADDRESS["node1"], 8025, "GET /health HTTP/1.0", "").splitlines()[0]
    # kubelet asks less often than the load balancer: what it learns late would be written in the next test.
    available = len(NODES) - 1
    wait_until(lambda: estate.resource()["status"]["availableNodes"] == available, 30, "the resource says so too")
    kubectl("-n", NAMESPACE, "annotate", "pod", pod, "smtp.buildinglink.com/drain-")
    wait_until(lambda: cluster.load_balancer()["node1"] == "UP", 20, "it is back")
    estate.wait_until_ready(30)


def test_mail_flows_while_the_operator_is_away_and_it_writes_nothing_when_it_returns():
    wait_until(lambda: not estate.operator_writes(time.time() - 3), 30, "it is at rest")
    pod = estate.operator_pod()
    # Killed, and not started again.
    os.kill(estate.process_of(pod, "/usr/bin/smtp-relay-operator"), signal.SIGKILL)
    kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=0")
    wait_until(lambda: not cluster.pods(NAMESPACE, f"app.kubernetes.io/name={OPERATOR}"), 60, "the operator is gone")
    away = time.time()
    with Traffic(BALANCER, 60, "alone", every=1) as traffic:
        traffic.finish(120)
    assert time.time() - away >= 60
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "all of them in the mailbox")
    kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=1")
    wait_until(estate.operator_has_looked, 60, "it is back and has looked at the relay")
    stays_empty(lambda: estate.operator_writes(away), 10, "it writes nothing")


def etcd(path, body):
    """etcd listens on its own host's loopback alone."""
    answer = cluster.inside("control", "curl", "-sS", "-f", "-d", json.dumps(body), f"http://127.0.0.1:2379{path}")
    return json.loads(answer.stdout)


class CutOff:
    """Between the operator's pod and the API server nothing passes."""

    def __init__(self, pod):
        self._rules = [["-s", pod["status"]["podIP"], "-d", ADDRESS["control"], "-p", "tcp", "-j", "REJECT",
                        "--reject-with", "tcp-reset"]]
        self._node = cluster.node_of(pod)

    def __enter__(self):
        for rule in self._rules:
            cluster.inside(self._node, "iptables", "-I", "FORWARD", *rule)
        return self

    def __exit__(self, *_):
        for rule in self._rules:
            cluster.inside(self._node, "iptables", "-D", "FORWARD", *rule)


def test_cut_off_while_versions_vanish_it_lists_again_and_writes_only_what_changed():
    pod = estate.operator_pod()
    lists = 'smtp_relay_operator_list_operations_total{resource="smtprelays"}'
    before, generation = estate.metric(pod, lists), estate.resource()["metadata"]["generation"]
    # Its watches end with the server; from then on it can't reach it.
    cluster.control("stop", "apiserver")
    with CutOff(pod):
        cluster.control("start", "apiserver")
        estate.apply(limits={"maxMessageSize": "9Mi"})
        for number in range(20):
            cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": str(number)},
                           "metadata": {"name": "noise", "namespace": NAMESPACE}})
        revision = etcd("/v3/maintenance/status", {})["header"]["revision"]
        etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        # A new server has no memory of what etcd has forgotten.
        cluster.control("restart", "apiserver")
        with Traffic(BALANCER, 5, "cut") as traffic:
            traffic.finish(60)
        mended = time.time()
    wait_until(lambda: estate.resource()["status"]["observedGeneration"] == generation + 1, 90, "the change is applied")
    wait_until(lambda: estate.metric(pod, lists) == before + 1, 30, "it has listed again")
    log = [json.loads(line) for line in kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"]).splitlines()]
    assert any(line["event"] == "watch_failed" and line.get("kind") == "gone" for line in log), "it met the 410"

    def written():
        return {(write["resource"], write.get("subresource", "")) for write in estate.operator_writes(mended)}
    assert ("configmaps", "") in written()
    due = {("configmaps", ""), ("pods", ""), ("smtprelays", "status"), ("events", "")}
    stays_empty(lambda: written() - due, 10, "settings, the pods' stamps, status and an Event are written, and nothing else")
    assert estate.operator_pod()["metadata"]["uid"] == pod["metadata"]["uid"]
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "mail flowed meanwhile")
    assert smarthost.deliveries()

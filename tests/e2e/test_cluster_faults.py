"""Faults of the cluster while clients send through the load balancer and to each node's port; the checker of the torture
tests decides: sent = delivered + queued + bounced, nothing refused arrives, every copy is whole."""

import os
import signal
import time

import cluster
import custody
import estate
import pytest
from cluster import NODES, kubectl
from estate import NAMESPACE, OPERATOR
from mail_history import LAST_IN_DOUBT
from mailbox_history import Doors, history, settle
from waiting import wait_until

NODE = "node1"
OPERATOR_PROGRAM = "/usr/bin/smtp-relay-operator"
CONNECTIONS = 4  # to the smarthost, so that the copies which a kill may cost are few
# Another pod template, and no other relay.
OTHER_RESOURCES = {"requests": {"cpu": "51m", "memory": "64Mi"}}


@pytest.fixture
def mended():
    """What a test that fails may leave; conftest.py puts the rest in order."""
    yield
    cluster.control("start", "apiserver")
    for node in NODES:
        cluster.kubelet("start", node)
        kubectl("uncordon", node)
    kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=1")


def uids():
    return {node: estate.uid_of(pod) for node, pod in estate.pods().items()}


def wait_until_replaced(nodes, before, seconds):
    wait_until(lambda: all(uids().get(node, before[node]) != before[node] for node in nodes), seconds,
               f"{', '.join(nodes)}: another pod")


def kubelets_are_stopped(doors):
    for node in NODES:
        cluster.kubelet("stop", node)
    doors.go_on()
    for node in NODES:
        cluster.kubelet("start", node)
    wait_until(lambda: [estate.ctl(pod, "status", "--json") for pod in estate.pods().values()], 60, "kubelets answer")


def a_pod_is_deleted(doors):
    before = uids()
    kubectl("-n", NAMESPACE, "delete", "pod", estate.pods()[NODE]["metadata"]["name"], "--wait=false")
    doors.go_on(but=[NODE])
    wait_until_replaced([NODE], before, 90)


def a_pod_is_killed(doors):
    before = uids()
    kill(estate.pods()[NODE])
    doors.go_on(but=[NODE])
    wait_until_replaced([NODE], before, 90)


def kill(pod):
    """Neither the process nor kubelet hears of it before."""
    os.kill(estate.process_of(pod), signal.SIGKILL)
    cluster.kill_pod(NAMESPACE, pod["metadata"]["name"])


def a_node_is_drained(doors):
    """That on which the operator runs, which has to go elsewhere first."""
    node = cluster.node_of(estate.operator_pod())
    kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s")
    wait_until(lambda: cluster.load_balancer()[node] == "DOWN", 90, f"the load balancer leaves {node} out")
    doors.go_on(but=[node])
    kubectl("uncordon", node)


def the_api_server_is_away(doors):
    """For a minute at least."""
    cluster.control("stop", "apiserver")
    end = time.monotonic() + 60
    doors.go_on()
    while time.monotonic() < end:
        doors.go_on()
    cluster.control("start", "apiserver")
    # It had lost its lease, and kubelet waits before it starts it again.
    wait_until(estate.operator_has_looked, 180, "the operator is back and has looked at the relay")


def the_operator_is_gone(doors):
    os.kill(estate.process_of(estate.operator_pod(), OPERATOR_PROGRAM), signal.SIGKILL)
    kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=0")
    wait_until(lambda: not cluster.pods(NAMESPACE, f"app.kubernetes.io/name={OPERATOR}"), 60, "the operator is gone")
    doors.go_on()
    kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=1")
    wait_until(estate.operator_has_looked, 90, "it is back and has looked at the relay")


def pods_are_replaced(doors):
    """Node by node, and the operator dies in the middle of it."""
    before = uids()
    estate.apply(resources=OTHER_RESOURCES)
    wait_until(lambda: any(uids().get(node, before[node]) != before[node] for node in NODES), 120, "the first pod is replaced")
    os.kill(estate.process_of(estate.operator_pod(), OPERATOR_PROGRAM), signal.SIGKILL)
    wait_until_replaced(NODES, before, 240)


FAULTS = [kubelets_are_stopped, a_pod_is_deleted, a_pod_is_killed, a_node_is_drained, the_api_server_is_away,
          the_operator_is_gone, pods_are_replaced]


def judged(found, request):
    """Its sums stand at the end of the run's output, and in its report."""
    unknown = sum(1 for sent in found.sent if sent.unknown)
    sums = f"{len(found.sent)} messages, {unknown} of them with an unknown reply: {custody.account(found)}"
    request.node.user_properties.append(("sums", sums))
    assert custody.faults(found) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_of_the_cluster_loses_no_mail_that_flows_meanwhile_Case141(mended, request, fault):
    is_kill = fault is a_pod_is_killed
    if is_kill:
        estate.put_in_force(smarthosts=[estate.TO_SMARTHOST | {"limits": {"maxConnections": CONNECTIONS}}])
    with Doors(fault.__name__.replace("_", "-")) as doors:
        doors.go_on()
        fault(doors)
        estate.wait_until_ready(180)
        doors.go_on()
    settle()
    # A relay that is killed may not have recorded the last deliveries of its connections.
    judged(history(doors, unrecorded=CONNECTIONS * LAST_IN_DOUBT if is_kill else 0), request)


def test_relays_that_are_killed_with_all_their_mail_have_it_still_Case102(mended, request):
    cluster.peer("stop", "smarthost")
    with Doors("waits") as doors:
        doors.go_on()
        before = uids()
        killed = ["node1", "node3"]
        for node in killed:
            kill(estate.pods()[node])
        doors.go_on(but=killed)
        wait_until_replaced(killed, before, 90)
        estate.wait_until_ready(180)
        doors.go_on()
    waiting = history(doors)
    judged(waiting, request)
    account = custody.account(waiting)
    assert account.queued == account.sent > 0
    cluster.peer("start", "smarthost")
    settle()
    judged(history(doors), request)

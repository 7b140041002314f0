"""What was accepted arrives: while pods come and go, and when a relay dies with its queue."""

import collections
import os
import signal

import cluster
import estate
from cluster import ADDRESS, kubectl
from estate import BALANCER, NAMESPACE
from traffic import Traffic
from waiting import wait_until


def test_three_hundred_messages_while_one_pod_is_deleted_and_another_drained():
    before = estate.pods()
    with Traffic(BALANCER, 300, "moving", every=0.1) as traffic:
        wait_until(lambda: len(traffic.accepted()) >= 40, 60, "some messages")
        kubectl("-n", NAMESPACE, "delete", "pod", before["node1"]["metadata"]["name"], "--wait=false")
        estate.ctl(before["node2"], "drain")
        wait_until(lambda: cluster.load_balancer()["node2"] == "DOWN", 10, "the load balancer leaves the drained node out")
        assert traffic.is_running(), "it went on while messages came"
        wait_until(lambda: estate.pods().get("node1", before["node1"])["metadata"]["name"]
                   != before["node1"]["metadata"]["name"], 60, "the deleted pod is replaced")
        traffic.finish(180)
    wait_until(lambda: len(estate.subjects()) >= 300 and not estate.waiting(), 120, "all of them in the mailbox")
    copies = collections.Counter(estate.subjects())
    assert set(copies) == traffic.subjects
    assert set(copies.values()) == {1}, [subject for subject, count in copies.items() if count > 1]
    assert estate.ctl(before["node2"], "resume").startswith("Resumed")
    estate.wait_until_ready()


def test_a_relay_killed_with_its_queue_loses_nothing():
    cluster.peer("stop", "smarthost")
    with Traffic(ADDRESS["node3"], 200, "killed", connections=20) as traffic:
        traffic.finish(120)
    pod = estate.pods()["node3"]
    assert estate.metric(pod, "smtp_relay_queue_messages") == 200
    os.kill(estate.process_of(pod), signal.SIGKILL)
    cluster.kill_pod(NAMESPACE, pod["metadata"]["name"])
    wait_until(lambda: estate.pods()["node3"]["metadata"]["uid"] != pod["metadata"]["uid"], 60, "the pod is replaced")
    wait_until(lambda: estate.metric(estate.pods()["node3"], "smtp_relay_queue_messages") == 200, 60, "the queue is found")
    cluster.peer("start", "smarthost")
    wait_until(lambda: len(estate.subjects()) >= 200 and not estate.waiting(), 120, "all of them in the mailbox")
    assert sorted(estate.subjects()) == sorted(traffic.subjects)


def test_a_deleted_relay_leaves_its_mail_to_the_next_of_its_name():
    cluster.peer("stop", "smarthost")
    with Traffic(ADDRESS["node2"], 20, "left") as traffic:
        traffic.finish(60)
    kubectl("-n", NAMESPACE, "delete", "smr", estate.NAME)
    for kind, name in estate.CHILDREN.items():
        wait_until(lambda: not kubectl("-n", NAMESPACE, "get", kind, name, "--ignore-not-found").strip(), 90, f"no {kind}")
    wait_until(lambda: not cluster.get("pods", "-n", NAMESPACE, "-l", estate.SELECTOR), 90, "no pods")
    spool = cluster.disk_of("node2") / "lib/smtp-relay" / NAMESPACE / estate.NAME
    assert (spool / "CURRENT").exists(), "the spool stays on the node"
    assert estate.told("SpoolRetained", f"20 messages wait in /var/lib/smtp-relay/{NAMESPACE}/{estate.NAME}, nodes node2 (20), ")
    estate.apply()
    cluster.peer("start", "smarthost")
    wait_until(lambda: len(estate.subjects()) >= 20, 120, "the mail of before in the mailbox")
    assert sorted(estate.subjects()) == sorted(traffic.subjects)

"""A relay that is to be drained when it is deleted: its mail goes first."""

import cluster
import estate
from cluster import ADDRESS, kubectl
from estate import NAMESPACE
from traffic import Traffic
from waiting import stays_true, wait_until

SPOOL = estate.SPOOL | {"type": "HostPath", "onDelete": "DrainThenDelete"}
# Nothing is tried again by itself while the test lasts.
RETRY = {"initialDelay": "1h", "mxInitialDelay": "1h", "maxDelay": "1h"}


def is_there():
    return bool(kubectl("-n", NAMESPACE, "get", "smr", estate.NAME, "--ignore-not-found").strip())


def test_a_relay_that_is_drained_sends_what_waits_before_it_goes():
    estate.put_in_force(spool=SPOOL, retry=RETRY)
    cluster.peer("stop", "smarthost")
    with Traffic(ADDRESS["node2"], 20, "drained") as traffic:
        traffic.finish(60)
    assert estate.metric(estate.pods()["node2"], "smtp_relay_queue_messages") == 20
    kubectl("-n", NAMESPACE, "delete", "smr", estate.NAME, "--wait=false")
    wait_until(lambda: "20 messages on 1 of 3 nodes remain" in estate.condition("Progressing")["message"], 20,
               "the status says what holds it")
    wait_until(lambda: set(cluster.load_balancer().values()) == {"DOWN"}, 20, "the load balancer is told")
    stays_true(is_there, 3, "mail holds it")
    cluster.peer("start", "smarthost")
    wait_until(lambda: not is_there(), 60, "it goes")
    wait_until(lambda: len(estate.subjects()) >= 20, 10, "all of them in the mailbox")
    assert sorted(estate.subjects()) == sorted(traffic.subjects)
    wait_until(lambda: estate.told("Drained", f"0 messages wait in /var/lib/smtp-relay/{NAMESPACE}/{estate.NAME}, nodes "), 10,
               "an Event says so")
    wait_until(lambda: not cluster.get("pods", "-n", NAMESPACE, "-l", estate.SELECTOR), 90, "no pods")
    estate.apply()

"""Two operators, one writer."""

import signal
import time

import pytest
from waiting import stays_true, wait_until
from world import CHILDREN, LEASES

LEASE = f"{LEASES}/smtp-relay-operator"
DURATION = 15


@pytest.fixture
def pair(mail):
    """A leader (operator-a) and a standby (operator-b), and a relay."""
    mail.leader = mail.operator("operator-a")
    wait_until(mail.leader.is_leading, 10, "the first one leads")
    mail.standby = mail.operator("operator-b")
    mail.apply()
    mail.wait_for_children()
    return mail


def holder(mail):
    return mail.api.get(LEASE)["spec"]["holderIdentity"]


def works(mail, size):
    """Whoever leads acts on a change."""
    mail.apply(limits={"maxMessageSize": size})
    wait_until(lambda: f'"{size}"' in mail.settings(), 10, f"somebody applied {size}")


def test_one_leads_and_the_other_is_ready(pair):
    assert pair.leader.is_leading() and not pair.standby.is_leading()
    assert pair.standby.http(pair.standby.health_port, "/readyz")[0] == 200
    before = holder(pair)
    stays_true(lambda: holder(pair) == before, 5, "the same holder")
    assert not pair.writes("operator-b")


def test_a_killed_leader_is_followed_within_its_lease_and_three_seconds(pair):
    writes = len(pair.writes("operator-b"))
    pair.leader.kill()
    killed = time.monotonic()
    wait_until(pair.standby.is_leading, DURATION + 3, "the standby takes over")
    assert time.monotonic() - killed > DURATION - 3, "not before the lease has run out"
    works(pair, "5Mi")
    assert len(pair.writes("operator-b")) > writes
    assert pair.api.get(LEASE)["spec"]["leaseTransitions"] == 1


def test_a_leader_that_stops_frees_its_lease(pair):
    began = time.monotonic()
    assert pair.leader.stop() == 0
    wait_until(pair.standby.is_leading, 3, "the standby takes over")
    assert time.monotonic() - began < 6
    works(pair, "5Mi")


def test_a_frozen_leader_writes_nothing_when_it_thaws(pair):
    pair.leader.signal(signal.SIGSTOP)
    wait_until(pair.standby.is_leading, DURATION + 3, "the standby takes over")
    before = len(pair.writes("operator-a")), len(pair.plane.lease_writes("operator-a"))
    # Work for whoever thinks that it leads.
    works(pair, "5Mi")
    pair.api.delete(CHILDREN["ServiceAccount"])
    wait_until(lambda: pair.child("ServiceAccount"), 10, "the new leader restores it")
    pair.leader.signal(signal.SIGCONT)
    wait_until(lambda: not pair.leader.is_leading(), 5, "it knows that it leads no more")
    works(pair, "6Mi")
    stays_true(lambda: (len(pair.writes("operator-a")), len(pair.plane.lease_writes("operator-a"))) == before, 5,
               "nothing written by the old leader")
    assert pair.leader.check_alive(), "it stands by in process"
    assert pair.leader.records("standing_by")


def test_a_leader_that_cannot_renew_stands_by_and_leads_again(mail):
    from processes import Proxy
    proxy = Proxy(mail.plane.api_port)
    try:
        operator = mail.operator("operator-a", "--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s", port=proxy.port)
        mail.apply()
        mail.wait_for_children()
        proxy.cut()
        wait_until(lambda: not operator.is_leading(), 8, "it stands by")
        proxy.mend()
        wait_until(operator.is_leading, 15, "it leads again")
        works(mail, "5Mi")
        assert operator.check_alive() and len(operator.records("leading")) == 2
    finally:
        proxy.close()


def test_it_ends_in_time_while_the_server_hangs(mail):
    """Each look at this relay asks the server for its children; a frozen server keeps every worker waiting."""
    operator = mail.operator("operator-a", "--resync=1s")
    mail.apply(passwdClientSecretRef={"name": "missing"})
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    server = mail.plane.apiserver
    server.signal(signal.SIGSTOP)
    try:
        busy = 'controller_runtime_active_workers{controller="smtprelay"}'
        wait_until(lambda: operator.metric(busy) >= 1, 10, "a worker waits for the server")
        began = time.monotonic()
        assert operator.stop() == 0
        assert time.monotonic() - began < 10
    finally:
        server.signal(signal.SIGCONT)


def test_no_election_when_told_so(mail):
    operator = mail.operator("operator-a", "--no-leader-elect")
    mail.apply()
    mail.wait_for_children()
    assert mail.api.find(LEASE) is None
    assert operator.is_leading()
    assert operator.stop() == 0

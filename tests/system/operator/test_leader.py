"""Three operators, one writer."""

import signal
import time

import pytest
from processes import Proxy
from waiting import PATIENCE, stays_true, wait_until
from world import CHILDREN, LEASES, OPERATORS

LEASE = f"{LEASES}/smtp-relay-operator"
DURATION = 15


@pytest.fixture
def proxy(mail):
    """The way of the leader to the API server."""
    proxy = Proxy(mail.plane.api_port)
    yield proxy
    proxy.close()


@pytest.fixture
def three(mail, proxy):
    """A leader (operator-a) and two standbys, and a relay."""
    mail.leader = mail.operator("operator-a", port=proxy.port)
    wait_until(mail.leader.is_leading, 10, "the first one leads")
    mail.standbys = [mail.operator(name) for name in OPERATORS[1:]]
    mail.apply()
    mail.wait_for_children()
    return mail


def holder(mail):
    return mail.api.get(LEASE)["spec"]["holderIdentity"]


def works(mail, size):
    """Whoever leads acts on a change."""
    mail.apply(limits={"maxMessageSize": size})
    wait_until(lambda: f'"{size}"' in mail.settings(), 10, f"somebody applied {size}")


def successor(mail, seconds):
    """The standby that leads by then; the other one stays what it is."""
    found = wait_until(lambda: [each for each in mail.standbys if each.is_leading()], seconds, "a standby takes over")
    assert len(found) == 1
    return found[0]


def written(mail, name):
    return len(mail.writes(name)), len(mail.plane.lease_writes(name))


def test_one_leads_and_the_others_are_ready(three):
    assert three.leader.is_leading()
    for each in three.standbys:
        assert not each.is_leading() and each.http(each.health_port, "/readyz")[0] == 200
    before = holder(three)
    stays_true(lambda: holder(three) == before, 5, "the same holder")
    assert not [write for name in OPERATORS[1:] for write in three.writes(name)]


def test_a_killed_leader_is_followed_within_its_lease_and_three_seconds(three):
    three.leader.kill()
    killed = time.monotonic()
    second = successor(three, DURATION + 3)
    assert time.monotonic() - killed > DURATION - 3, "not before the lease has run out"
    works(three, "5Mi")
    assert three.writes(second.name)
    assert three.api.get(LEASE)["spec"]["leaseTransitions"] == 1
    assert [each.is_leading() for each in three.standbys].count(True) == 1
    second.kill()
    third = next(each for each in three.standbys if each is not second)
    wait_until(third.is_leading, DURATION + 3, "the last one takes over")
    works(three, "6Mi")


def test_a_leader_that_stops_frees_its_lease(three):
    began = time.monotonic()
    assert three.leader.stop() == 0
    successor(three, 3)
    assert time.monotonic() - began < 6 * PATIENCE
    works(three, "5Mi")


def test_a_frozen_leader_writes_nothing_when_it_thaws(three):
    three.leader.signal(signal.SIGSTOP)
    successor(three, DURATION + 3)
    before = written(three, "operator-a")
    # Work for whoever thinks that it leads.
    works(three, "5Mi")
    three.api.delete(CHILDREN["ServiceAccount"])
    wait_until(lambda: three.child("ServiceAccount"), 10, "the new leader restores it")
    three.leader.signal(signal.SIGCONT)
    wait_until(lambda: not three.leader.is_leading(), 5, "it knows that it leads no more")
    works(three, "6Mi")
    stays_true(lambda: written(three, "operator-a") == before, 5, "nothing written by the old leader")
    assert three.leader.check_alive(), "it stands by in process"
    assert three.leader.records("standing_by")


def test_a_leader_that_is_cut_off_is_followed_and_writes_nothing_when_it_is_back(three, proxy):
    proxy.cut()
    second = successor(three, DURATION + 3)
    assert not three.leader.is_leading(), "it stood by before anybody could follow"
    before = written(three, "operator-a")
    works(three, "5Mi")
    proxy.mend()
    works(three, "6Mi")
    stays_true(lambda: written(three, "operator-a") == before, 5, "nothing written by the old leader")
    assert second.is_leading() and three.leader.check_alive(), "it stands by in process"


def test_a_leader_that_cannot_renew_stands_by_and_leads_again(mail, proxy):
    operator = mail.operator("operator-a", "--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s", port=proxy.port)
    mail.apply()
    mail.wait_for_children()
    proxy.cut()
    wait_until(lambda: not operator.is_leading(), 8, "it stands by")
    proxy.mend()
    wait_until(operator.is_leading, 15, "it leads again")
    works(mail, "5Mi")
    assert operator.check_alive() and len(operator.records("leading")) == 2


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
        assert time.monotonic() - began < 10 * PATIENCE
    finally:
        server.signal(signal.SIGCONT)


def test_no_election_when_told_so(mail):
    operator = mail.operator("operator-a", "--no-leader-elect")
    mail.apply()
    mail.wait_for_children()
    assert mail.api.find(LEASE) is None
    assert operator.is_leading()
    assert operator.stop() == 0

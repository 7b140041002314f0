"""Users of a Secret that the resource names: they relay from any address, and others take their place without a restart."""

import pathlib

import cluster
import estate
import pytest
from certificates import Authority
from cluster import ADDRESS, NODES, kubectl
from estate import BALANCER, NAMESPACE
from waiting import wait_until

USERS, CERTIFICATE = "smtp-users", "smtp-tls"
SENDER = pathlib.Path(__file__).resolve().parent / "logged_in.py"
PASSWORD, OTHER = "correct-horse-battery", "staple-of-another"
# The client is in none of them: what it sends it sends as a user.
ELSEWHERE = {"allowedNetworks": ["10.255.0.0/16"]}
OFFERED = {"access": ELSEWHERE, "tls": {"secretRef": {"name": CERTIFICATE}}, "auth": {"secretRef": {"name": USERS}}}


@pytest.fixture
def authority(tmp_path):
    """What it signed is shown to clients."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue(BALANCER, also=[ADDRESS[node] for node in NODES])
    put("kubernetes.io/tls", CERTIFICATE, **{"tls.crt": certificate.read_text(), "tls.key": key.read_text()})
    return authority


def put(kind, name, **entries):
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name, "namespace": NAMESPACE},
                   "stringData": entries})


def line_of(user, password):
    pod = next(iter(estate.pods().values()))["metadata"]["name"]
    return kubectl("-n", NAMESPACE, "exec", "-i", pod, "-c", "relay", "--", "relayctl", "user", user, input=password + "\n")


def put_users(*lines):
    put("Opaque", USERS, users="".join(lines))


def send(host, authority, user, password, subject):
    """The code of the last reply."""
    return cluster.inside("client", "/usr/bin/python3", SENDER, host, 25, authority.certificate, user, subject,
                          input=password).stdout.strip()


def let_in_everywhere(authority, user, password):
    return all(send(ADDRESS[node], authority, user, password, f"{user}-{node}") == "250" for node in NODES)


def test_users_of_the_secret_relay_from_anywhere_and_others_take_their_place_without_a_restart(authority):
    put_users(line_of("app", PASSWORD))
    estate.put_in_force(**OFFERED)
    estate.wait_until_ready()
    before = estate.restarts(estate.pods())
    for host in (BALANCER, *(ADDRESS[node] for node in NODES)):
        assert send(host, authority, "app", "", "nobody") == "530"
        assert send(host, authority, "app", OTHER, "wrong") == "535"
        assert send(host, authority, "app", PASSWORD, f"right-{host}") == "250"
        assert "AUTH" not in estate.say(host, 25, "EHLO x", "QUIT"), "in the clear"
    wait_until(lambda: len(estate.subjects()) == 1 + len(NODES), 30, "what was accepted has arrived")
    assert all(subject.startswith("right-") for subject in estate.subjects())
    assert all("ESMTPSA" in each.raw.decode(errors="replace") for each in estate.smarthost.deliveries())

    put_users(line_of("other", OTHER))
    wait_until(lambda: let_in_everywhere(authority, "other", OTHER), 20, "the other is let in by every node")
    for node in NODES:
        assert send(ADDRESS[node], authority, "app", PASSWORD, "gone") == "535"
    assert estate.restarts(estate.pods()) == before
    for place, text in estate.everything_that_is_told():
        for password in (PASSWORD, OTHER):
            assert password not in text, f"a password stands in {place}"


def test_a_secret_that_is_gone_or_wrong_stops_nobody(authority):
    put_users(line_of("app", PASSWORD))
    estate.put_in_force(**OFFERED)
    estate.wait_until_ready()
    before = estate.restarts(estate.pods())
    kubectl("-n", NAMESPACE, "delete", "secret", USERS)
    wait_until(lambda: estate.condition("SecretsResolved")["reason"] == "SecretNotFound", 10, "the condition")
    assert USERS in estate.condition("SecretsResolved")["message"]
    assert let_in_everywhere(authority, "app", PASSWORD)
    put_users("app:in the clear\n")
    wait_until(lambda: estate.condition("SecretsResolved")["reason"] == "InvalidUsers", 10, "the condition")
    assert "in the clear" not in estate.condition("SecretsResolved")["message"]
    assert let_in_everywhere(authority, "app", PASSWORD)
    put_users(line_of("app", PASSWORD))
    wait_until(lambda: estate.condition("SecretsResolved")["status"] == "True", 10, "the condition")
    assert estate.restarts(estate.pods()) == before

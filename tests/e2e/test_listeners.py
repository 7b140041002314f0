"""Listeners by the resource: TLS from the first octet on port 465 of every node, beside port 25."""

import pathlib
import ssl
import time

import cluster
import estate
import pytest
from certificates import Authority
from cluster import ADDRESS, NODES
from estate import NAMESPACE
from traffic import Traffic
from waiting import wait_until

SECRET = "smtp-tls"
SHOWN = pathlib.Path(__file__).resolve().parent / "shown_certificate.py"
SUBMISSIONS = {"name": "submissions", "port": 465, "tls": "Implicit"}
NETWORK = estate.spec()["network"]


def with_listeners(*each):
    return {"network": {**NETWORK, "listeners": list(each)}, "tls": {"secretRef": {"name": SECRET}}}


class Certificate:
    """A new one for the nodes, and a key of its own."""

    def __init__(self, authority):
        certificate, key = authority.issue(ADDRESS[NODES[0]], also=[ADDRESS[node] for node in NODES[1:]])
        self.pem, self.key = certificate.read_text(), key.read_text()

    def put_into_secret(self):
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                       "metadata": {"name": SECRET, "namespace": NAMESPACE},
                       "stringData": {"tls.crt": self.pem, "tls.key": self.key}})

    def is_shown_by(self, node, authority):
        shown = cluster.inside("client", "/usr/bin/python3", SHOWN, ADDRESS[node], 465, authority.certificate, "--implicit").stdout
        return ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(self.pem)

    def wait_until_shown(self, authority, seconds):
        wait_until(lambda: all(self.is_shown_by(node, authority) for node in NODES), seconds, "every node shows it")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_port_465_takes_mail_over_tls_on_every_node_and_its_certificate_is_replaced_under_traffic(authority):
    first, second = Certificate(authority), Certificate(authority)
    first.put_into_secret()
    estate.put_in_force(**with_listeners(SUBMISSIONS))
    estate.wait_until_ready()
    assert "on ports 25, 465" in estate.condition("Ready")["message"]
    assert estate.condition("PortAvailable")["status"] == "True"
    before = estate.restarts(estate.pods())
    first.wait_until_shown(authority, 20)
    node = ADDRESS[NODES[0]]
    with Traffic(node, 2000, "implicit", port=465, every=0.1, implicit=authority.certificate) as traffic:
        wait_until(lambda: len(traffic.accepted()) >= 40, 60, "mail is taken on port 465")
        begun = time.monotonic()
        second.put_into_secret()
        second.wait_until_shown(authority, 10)
        print(f"another certificate was shown by every node after {time.monotonic() - begun:.1f} s")
        taken = len(traffic.accepted())
        wait_until(lambda: len(traffic.accepted()) >= taken + 40, 60, "mail is taken with the other one")
        traffic.stop(60)
        attempts = {count for _, count, _ in traffic.accepted()}
    assert attempts == {"1"}, "nobody had to come again"
    wait_until(lambda: traffic.subjects <= set(estate.subjects()), 60, "all of them in the mailbox")
    assert estate.restarts(estate.pods()) == before
    assert all(estate.converse("client", ADDRESS[each], "EHLO a", "MAIL FROM:<a@example.com>")[-1].startswith("250 ")
               for each in NODES), "port 25 is as it was"


def test_rules_of_a_listener_change_without_a_restart_and_its_end_frees_the_port(authority):
    Certificate(authority).put_into_secret()
    estate.put_in_force(**with_listeners(SUBMISSIONS, {"name": "inside", "port": 2526, "tls": "None"}))
    estate.wait_until_ready()
    before = estate.restarts(estate.pods())
    mail = ("EHLO a", "MAIL FROM:<a@example.com>")
    node = ADDRESS[NODES[0]]
    assert estate.converse("client", node, *mail, port=2526)[-1].startswith("250 ")
    estate.put_in_force(**with_listeners(SUBMISSIONS, {"name": "inside", "port": 2526, "tls": "Required"}))
    wait_until(lambda: estate.converse("client", node, *mail, port=2526)[-1].startswith("530 5.7.0 "), 20, "TLS is required")
    assert estate.restarts(estate.pods()) == before
    estate.put_in_force(**with_listeners())
    estate.wait_until_ready()
    assert estate.restarts(estate.pods()) != before, "who has a port has it until it ends"
    with pytest.raises(cluster.Failed):
        estate.say(node, 2526, "QUIT")

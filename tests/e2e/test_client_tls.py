"""TLS for clients, by a Secret that the resource names: another certificate is served without a restart."""

import pathlib
import ssl
import time

import cluster
import estate
import pytest
from certificates import Authority
from cluster import ADDRESS, NODES, kubectl
from estate import BALANCER, NAMESPACE
from traffic import Traffic
from waiting import wait_until

SECRET = "smtp-tls"
SHOWN = pathlib.Path(__file__).resolve().parent / "shown_certificate.py"
OFFERED = {"secretRef": {"name": SECRET}}


@pytest.fixture
def authority(tmp_path):
    """Clients trust what it signs."""
    return Authority(tmp_path)


class Certificate:
    """A new one for the load balancer and the nodes, and a key of its own."""

    def __init__(self, authority):
        certificate, key = authority.issue(BALANCER, also=[ADDRESS[node] for node in NODES])
        self.pem, self.key = certificate.read_text(), key.read_text()

    def put_into_secret(self):
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                       "metadata": {"name": SECRET, "namespace": NAMESPACE},
                       "stringData": {"tls.crt": self.pem, "tls.key": self.key}})

    def is_shown_by(self, node, authority):
        shown = cluster.inside("client", "/usr/bin/python3", SHOWN, ADDRESS[node], 25, authority.certificate).stdout
        return ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(self.pem)

    def wait_until_shown(self, authority, seconds):
        wait_until(lambda: all(self.is_shown_by(node, authority) for node in NODES), seconds, "every node shows it")


def test_clients_get_tls_by_the_secret_and_another_certificate_is_served_under_traffic_without_a_restart(authority):
    assert all("STARTTLS" not in estate.say(ADDRESS[node], 25, "EHLO x", "QUIT") for node in NODES)
    first, second = Certificate(authority), Certificate(authority)
    first.put_into_secret()
    estate.put_in_force(tls=OFFERED)
    estate.wait_until_ready()
    before = estate.restarts(estate.pods())
    with Traffic(BALANCER, 2000, "encrypted", every=0.1, ca=authority.certificate) as traffic:
        wait_until(lambda: len(traffic.accepted()) >= 40, 60, "mail is taken over TLS")
        first.wait_until_shown(authority, 10)
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
    assert sorted(estate.subjects()) == sorted(traffic.subjects)
    assert estate.restarts(estate.pods()) == before
    for certificate in (first, second):
        line = certificate.key.splitlines()[1]
        for place, text in estate.everything_that_is_told():
            assert line not in text, f"the key stands in {place}"


def test_mail_in_clear_is_refused_where_tls_is_required_and_a_secret_that_is_gone_stops_nothing(authority):
    certificate = Certificate(authority)
    certificate.put_into_secret()
    estate.put_in_force(tls=OFFERED)
    estate.wait_until_ready()
    before = estate.restarts(estate.pods())
    in_clear = ("EHLO client.mail.test", "MAIL FROM:<a@example.com>")
    assert all(estate.converse("client", ADDRESS[node], *in_clear)[-1].startswith("250 ") for node in NODES)
    estate.put_in_force(tls={"mode": "Required", **OFFERED})
    for node in NODES:
        refused = estate.converse("client", ADDRESS[node], *in_clear)[-1]
        assert refused.startswith("530 5.7.0 "), refused

    kubectl("-n", NAMESPACE, "delete", "secret", SECRET)
    wait_until(lambda: estate.condition("SecretsResolved")["reason"] == "SecretNotFound", 10, "the condition")
    assert SECRET in estate.condition("SecretsResolved")["message"]
    with Traffic(BALANCER, 6, "required", ca=authority.certificate) as traffic:
        traffic.finish(60)
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 30, "mail flows with the certificate of before")
    certificate.put_into_secret()
    wait_until(lambda: estate.condition("SecretsResolved")["status"] == "True", 10, "the condition")
    assert estate.restarts(estate.pods()) == before

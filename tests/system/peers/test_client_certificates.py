"""A smarthost that lets in whom a certificate proves: Postfix, which asks for one and verifies it."""

import json
import shutil

import pytest
from certificates import Authority
from peers.by_mx import address, delivery_of, send
from peers.postfix import CERTIFICATE_PORT
from relay import Relay, patiently

NAME = "mx.postfix.test"


def shown(pair):
    """The settings of a certificate and its key."""
    certificate, key = pair
    return {"client_certificate": str(certificate), "client_key": str(key)}


def smarthosts(world, **fields):
    return json.dumps([{"name": "one", "host": NAME, "port": CERTIFICATE_PORT, "ca": str(world.authority.certificate),
                        **fields}])


def relay_to(world, folder, **fields):
    return Relay(folder, smarthosts=smarthosts(world, **fields))


@pytest.fixture
def own(world):
    """A certificate of an authority that the smarthost trusts."""
    return world.authority.issue("relay.test")


@pytest.fixture
def foreign(tmp_path):
    """The same of another authority."""
    return Authority(tmp_path / "other", "other").issue("relay.test")


def test_who_shows_its_certificate_is_let_in(postfix_server, world, tmp_path, own):
    recipient = address("postfix.example")
    with relay_to(world, tmp_path, **shown(own)) as relay:
        send(relay, recipient)
        trace = postfix_server.mailbox.wait_for(recipient)[0].trace
        assert b'(Client CN "relay.test", Issuer "ca" (verified OK))' in trace
        assert delivery_of(relay, recipient)["tls"].endswith(" verified")


def waits(relay, words):
    """The smarthost has refused the connection, and the log says with what words; the mail is none the worse."""
    record = patiently(lambda: relay.records("hop_failure"), 20, "the failure")[0]
    assert record["host"] == f"{NAME}:{CERTIFICATE_PORT}"
    assert record["reply"] == f"421 4.7.1 {NAME} Error: {words}" and words in record["error"]
    assert relay.metric("queue_messages") == 1
    assert relay.metric("failed_messages") == 0 and not relay.records("failure")


def test_mail_waits_while_no_certificate_is_shown(postfix_server, world, tmp_path, own):
    recipient = address("postfix.example")
    with relay_to(world, tmp_path) as relay:
        send(relay, recipient)
        waits(relay, "No client certificate presented")
        relay.stop()
        assert not postfix_server.mailbox.deliveries(recipient)
    relay.settings["smarthosts"] = smarthosts(world, **shown(own))
    with relay:
        postfix_server.mailbox.wait_for(recipient)


def test_mail_waits_while_the_certificate_is_of_another_authority(postfix_server, world, tmp_path, own, foreign):
    recipient = address("postfix.example")
    with relay_to(world, tmp_path, **shown(foreign)) as relay:
        send(relay, recipient)
        waits(relay, "Client certificate not trusted")
        assert not postfix_server.mailbox.deliveries(recipient)
        # A renewed one is in force without a restart.
        for new, old in zip(own, foreign):
            shutil.copy(new, old)
        postfix_server.mailbox.wait_for(recipient)

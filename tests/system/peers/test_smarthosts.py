"""Mail through real smarthosts: what they got is what was sent, and they get nothing when they cannot be trusted."""

import uuid

import pytest
from certificates import Authority
from conftest import PASSWORD, USER
from relay import Client, Relay, patiently

CONTENT = (b"From: a@example.com\r\nTo: b@example.net\r\nSubject: round trip\r\n"
           b"Message-ID: <1@example.com>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
           b".leading dot\r\n..two\r\n\ttab and trailing space \r\n\r\nlast line\r\n")
# UTF-8 and octets that are no UTF-8.
EIGHT_BIT = (b"From: a@example.com\r\nSubject: eight bits\r\nMIME-Version: 1.0\r\nMessage-ID: <2@example.com>\r\n"
             b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
             b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
             + "Grüße, 你好\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n")


def stuffed(content):
    return content.replace(b"\r\n.", b"\r\n..")


def on_disk(content):
    return content.replace(b"\r\n", b"\n")


def relay_to(server, world, folder, port=587, password=PASSWORD, **settings):
    name = server.options.name
    (folder / "passwd.client").write_text(f"{name}:{USER}:{password}\n")
    return Relay(folder, **{"smarthost": f"{name}:{port}", "smarthost_tls": "required",
                            "smarthost_ca": world.authority.certificate, **settings})


def behind_own_field(delivery):
    """What follows the field that the relay wrote; the server's own are not part of `content`."""
    field, separator, rest = delivery.content.partition(b" +0000\n")
    assert separator and field.startswith(b"Received: from client.test ([127.0.0.1])\n\tby relay.test "), delivery
    return rest


def address(server):
    """A recipient of one test's own."""
    return f"{uuid.uuid4().hex}@{server.KIND}.example"


@pytest.mark.parametrize("port, tls", [(587, "required"), (465, "implicit")])
def test_a_message_arrives_over_verified_tls_with_credentials(server, world, tmp_path, port, tls):
    one, two = address(server), "two-" + address(server)
    with relay_to(server, world, tmp_path, port, smarthost_tls=tls) as relay:
        with Client(relay.smtp_port) as client:
            client.send("sender@example.com", (one, two), stuffed(CONTENT))
        deliveries = [server.mailbox.wait_for(each)[0] for each in (one, two)]
        patiently(lambda: relay.metric("queue_messages") == 0, 10, "the queue is empty")
        assert relay.records("delivery")[0]["tls"].endswith(" verified")
    for delivery in deliveries:
        assert delivery.sender == "sender@example.com"
        assert behind_own_field(delivery) == on_disk(CONTENT)
        # ESMTP with TLS and AUTH, RFC 3848, in the server's own words.
        assert b"with esmtpsa " in delivery.trace.lower()
    assert PASSWORD.split(":")[1] not in relay.log_file.read_text()


def test_eight_bit_content_arrives_unchanged_and_is_declared(server, world, tmp_path):
    recipient = address(server)
    with relay_to(server, world, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.say("MAIL FROM:<eight@example.com> BODY=8BITMIME", 250)
            client.say(f"RCPT TO:<{recipient}>", 250)
            client.say("DATA", 354)
            client.write(EIGHT_BIT + b".\r\n")
            assert client.reply().startswith("250")
        delivery = server.mailbox.wait_for(recipient)[0]
    assert behind_own_field(delivery) == on_disk(EIGHT_BIT)
    declared = [line for line in server.commands("MAIL") if "eight@example.com" in line]
    assert declared and all("BODY=8BITMIME" in line.upper() for line in declared)


def test_a_null_sender_arrives_as_one(server, world, tmp_path):
    recipient = address(server)
    with relay_to(server, world, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.send("", (recipient,), CONTENT.replace(b".", b""))
        assert server.mailbox.wait_for(recipient)[0].sender == ""


def test_a_large_message_arrives(server, world, tmp_path):
    recipient = address(server)
    content = CONTENT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + (b"x" * 70 + b"\r\n") * 100_000
    with relay_to(server, world, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.send(recipients=(recipient,), content=content)
        assert behind_own_field(server.mailbox.wait_for(recipient, seconds=60)[0]) == on_disk(content)


def test_a_refused_recipient_does_not_hold_the_others(server, world, tmp_path):
    good, bad = address(server), f"unknown@{server.KIND}.example"
    with relay_to(server, world, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.send(recipients=(bad, good), content=stuffed(CONTENT))
        server.mailbox.wait_for(good)
        failure = patiently(lambda: relay.records("failure"), 10, "the failure")[0]
        assert failure["recipient"] == bad
        assert failure["reply"].startswith("550")
    assert not server.mailbox.deliveries(bad)


@pytest.mark.parametrize("fault", ["another authority", "another name", "wrong password"])
def test_mail_waits_when_the_smarthost_cannot_be_trusted(server, world, tmp_path, fault):
    recipient = address(server)
    settings = {
        "another authority": {"smarthost_ca": Authority(tmp_path / "other", "other").certificate},
        "another name": {"smarthost": f"{server.options.address}:587"},
        "wrong password": {"password": "wrong"},
    }[fault]
    with relay_to(server, world, tmp_path, **settings) as relay:
        if fault == "another name":
            (tmp_path / "passwd.client").write_text(f"*:{USER}:{PASSWORD}\n")
        with Client(relay.smtp_port) as client:
            client.send(recipients=(recipient,), content=stuffed(CONTENT))
        event = "credentials_refused" if fault == "wrong password" else "hop_failure"
        record = patiently(lambda: relay.records(event), 20, "the failure")[0]
        assert record["reply"].startswith("535") if fault == "wrong password" else "certificate" in record["error"]
        assert relay.metric("queue_messages") == 1
    assert not server.mailbox.deliveries(recipient)


def test_mail_waits_while_the_smarthost_is_down(server, world, tmp_path):
    recipient = address(server)
    server.stop()
    try:
        with relay_to(server, world, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send(recipients=(recipient,), content=stuffed(CONTENT))
            patiently(lambda: relay.records("hop_failure"), 20, "the failure")
            assert relay.metric("queue_messages") == 1
            server.start()
            server.mailbox.wait_for(recipient)
    finally:
        if server.program.process is None:
            server.start()

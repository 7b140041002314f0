"""What the mail servers offer, so that a test of the relay that relies on it does not pass for another reason."""

import smtplib
import ssl
import uuid

import pytest
from conftest import PASSWORD, USER
from peers.network import v6

OFFERED = {
    "exim": ({"8bitmime", "dsn", "smtputf8", "pipelining", "chunking", "size"}, {"PLAIN", "LOGIN"}),
    "postfix": ({"8bitmime", "dsn", "smtputf8", "pipelining", "chunking", "size"}, {"PLAIN", "LOGIN", "SCRAM-SHA-256"}),
    "opensmtpd": ({"8bitmime", "dsn", "size"}, {"PLAIN", "LOGIN"}),
}


def session(server, world, port=25, address=None):
    """An SMTP session over verified TLS."""
    context = ssl.create_default_context(cafile=world.authority.certificate)
    client = smtplib.SMTP(address or server.options.name, port, "client.test", timeout=20)
    client.ehlo()
    if address:
        context.check_hostname = False
    client.starttls(context=context)
    client.ehlo()
    return client


def test_a_server_offers_what_it_has(server, world):
    extensions, mechanisms = OFFERED[server.KIND]
    with session(server, world) as client:
        assert extensions <= set(client.esmtp_features)
        assert set(client.esmtp_features["auth"].split()) == mechanisms


def test_an_mx_takes_mail_from_anybody_over_both_families(server, world):
    for address in (server.options.address, v6(server.options.address)):
        recipient = f"{uuid.uuid4().hex}@example.net"
        with session(server, world, address=address) as client:
            client.sendmail("a@example.com", [recipient], b"Subject: x\r\n\r\nbody\r\n")
        assert server.mailbox.wait_for(recipient)[0].content.endswith(b"\n\nbody\n")


def test_a_smarthost_takes_mail_only_with_credentials(server, world):
    recipient = f"{uuid.uuid4().hex}@example.net"
    with session(server, world, 587) as client:
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
            client.sendmail("a@example.com", [recipient], b"Subject: x\r\n\r\n")
        client.login(USER, PASSWORD)
        client.sendmail("a@example.com", [recipient], b"Subject: x\r\n\r\n")
    server.mailbox.wait_for(recipient)


def test_parameters_of_a_command_are_in_the_log(server, world):
    sender = f"{uuid.uuid4().hex}@example.com"
    with session(server, world) as client:
        client.sendmail(sender, ["b@example.net"], b"Subject: x\r\n\r\n", ["RET=HDRS", "ENVID=an-id"], ["NOTIFY=NEVER"])
    line = next(line for line in server.commands("MAIL") if sender in line)
    assert "RET=HDRS ENVID=an-id" in line
    assert any("NOTIFY=NEVER" in line for line in server.commands("RCPT"))


@pytest.mark.parametrize("server", ["exim", "postfix"], indirect=True)
def test_utf8_addresses_arrive(server, world):
    recipient = f"grün-{uuid.uuid4().hex}@bücher.example"
    with session(server, world) as client:
        client.ehlo()
        message = "Subject: grün\r\n\r\n".encode()
        client.command_encoding = "utf-8"
        client.sendmail("größe@example.com", [recipient], message, ["SMTPUTF8", "BODY=8BITMIME"])
    delivery = server.mailbox.wait_for(recipient)[0]
    assert delivery.sender == "größe@example.com"
    assert delivery.content.endswith("Subject: grün\n\n".encode())


def test_no_process_is_left_of_a_server_that_was_stopped(server, world):
    server.stop()
    try:
        with pytest.raises(ConnectionRefusedError):
            session(server, world)
    finally:
        server.start()

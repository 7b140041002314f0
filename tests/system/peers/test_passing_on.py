"""What goes with a message to the servers of domains: eight bits, UTF-8, requests for reports, signatures."""

import json
import re
import subprocess

import dkim
import pytest
import reports
from peers import by_mx
from peers.by_mx import ScriptedMx, address, send
from raw_sink import EXTENSIONS
from relay import arrived, patiently

WITHOUT_8BITMIME = [extension for extension in EXTENSIONS if extension != "8BITMIME"]
EIGHT_BIT = (b"From: a@exim.test\r\nSubject: eight bits\r\nMIME-Version: 1.0\r\nMessage-ID: <2@example.com>\r\n"
             b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n"
             b"Content-Transfer-Encoding: 8bit\r\n\r\n" + "Grüße, 你好\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n")


@pytest.fixture
def relay(world, tmp_path):
    with by_mx.relay(world, tmp_path) as relay:
        yield relay


def command_with(server, verb, text):
    """The server's record of a command with the text."""
    return patiently(lambda: [line for line in server.commands(verb) if text in line], 10, f"{verb} with {text}")[0]


def report_to(server, sender):
    delivery = server.mailbox.wait_for(sender, seconds=60)[0]
    assert delivery.sender == ""
    return delivery


# ---- eight bits ----

def test_eight_bits_go_to_each_server_as_they_are(server, relay):
    recipient, sender = address(f"{server.KIND}.test"), address("example.com")
    send(relay, recipient, sender=sender, content=EIGHT_BIT, mail="BODY=8BITMIME")
    assert server.mailbox.wait_for(recipient)[0].content.endswith(EIGHT_BIT.replace(b"\r\n", b"\n"))
    assert "BODY=8BITMIME" in command_with(server, "MAIL", sender).upper()


def test_eight_bits_come_back_where_they_cannot_go(world, exim_server, tmp_path, relay):
    """Declared, they may not be sent (RFC 6152 section 3); the relay converts nothing."""
    sender = address("exim.test")
    with ScriptedMx(world, tmp_path, "seven-bit.test", extensions=WITHOUT_8BITMIME) as sink:
        send(relay, "x@seven-bit.test", sender=sender, content=EIGHT_BIT, mail="BODY=8BITMIME")
        recipient, = reports.parse(report_to(exim_server, sender).content).recipients
        assert (recipient["action"], recipient["status"]) == ("failed", "5.6.3")
        assert sink.store.messages() == []


def test_eight_bits_that_nobody_declared_go_everywhere(world, tmp_path, relay):
    with ScriptedMx(world, tmp_path, "seven-bit-too.test", extensions=WITHOUT_8BITMIME) as sink:
        send(relay, "x@seven-bit-too.test", content=EIGHT_BIT)
        message, = arrived(sink, 1)
        assert message.content.endswith(EIGHT_BIT) and "BODY" not in message.entry["mail"]


# ---- SMTPUTF8 ----

@pytest.mark.parametrize("server", ["exim", "postfix"], indirect=True)
def test_utf8_addresses_arrive(server, relay):
    recipient, sender = f"grün-{address(server.KIND + '.test')}", f"größe-{address('example.com')}"
    send(relay, recipient, sender=sender, content="Subject: Grüße\r\n\r\nx\r\n".encode(), mail="SMTPUTF8")
    delivery = server.mailbox.wait_for(recipient)[0]
    assert delivery.sender == sender
    assert delivery.content.endswith("Subject: Grüße\n\nx\n".encode())
    # Exim's log escapes what is not ASCII.
    assert "SMTPUTF8" in command_with(server, "MAIL", sender.partition("-")[2])


def test_utf8_addresses_come_back_where_they_cannot_go(opensmtpd_server, exim_server, relay):
    recipient, sender = f"grün-{address('opensmtpd.test')}", address("exim.test")
    send(relay, recipient, sender=sender, mail="SMTPUTF8")
    told, = reports.parse(report_to(exim_server, sender).content).recipients
    assert told["status"] == "5.6.7"
    assert told["final-recipient"] == "utf-8; " + recipient.replace("ü", r"\x{FC}")


def test_a_report_to_a_utf8_address_is_a_global_one(exim_server, relay):
    sender = f"größe-{address('exim.test')}"
    send(relay, "x@null.test", sender=sender, mail="SMTPUTF8")
    content = report_to(exim_server, sender).content
    assert b"Content-Type: message/global-delivery-status\n" in content
    assert f"To: <{sender}>".encode() in content


# ---- DSN, RFC 3461 ----

def test_what_the_sender_wants_to_hear_is_passed_on(server, relay):
    recipient, sender = address(f"{server.KIND}.test"), address("example.com")
    send(relay, recipient, sender=sender, mail="RET=HDRS ENVID=id+2B1",
         rcpt="NOTIFY=FAILURE,DELAY ORCPT=rfc822;first+40example.org")
    server.mailbox.wait_for(recipient)
    mail, rcpt = command_with(server, "MAIL", sender), command_with(server, "RCPT", recipient)
    assert "RET=HDRS" in mail and "ENVID=id+2B1" in mail
    assert re.search(r"NOTIFY=(FAILURE,DELAY|DELAY,FAILURE)", rcpt) and "ORCPT=rfc822;first+40example.org" in rcpt


def test_nothing_is_passed_on_that_nobody_asked_for(server, relay):
    recipient, sender = address(f"{server.KIND}.test"), address("example.com")
    send(relay, recipient, sender=sender)
    server.mailbox.wait_for(recipient)
    mail, rcpt = command_with(server, "MAIL", sender), command_with(server, "RCPT", recipient)
    assert not re.search("RET=|ENVID=", mail) and not re.search("NOTIFY=|ORCPT=", rcpt)


def test_a_server_with_dsn_reports_success_itself(exim_server, relay):
    recipient, sender = address("exim.test"), address("exim.test")
    send(relay, recipient, sender=sender, rcpt="NOTIFY=SUCCESS")
    report = report_to(exim_server, sender)
    assert b"mx.exim.test" in report.content
    assert relay.metric("reports_total") == 0
    assert len(exim_server.mailbox.deliveries(sender)) == 1


def test_success_is_reported_as_relayed_where_a_server_makes_no_reports(world, exim_server, tmp_path, relay):
    sender = address("exim.test")
    with ScriptedMx(world, tmp_path, "no-dsn.test") as sink:
        send(relay, "x@no-dsn.test", sender=sender, mail="ENVID=an-id", rcpt="NOTIFY=SUCCESS,FAILURE")
        report = reports.parse(report_to(exim_server, sender).content)
        message, = arrived(sink, 1)
        assert report.actions == {"x@no-dsn.test": "relayed"}
        assert report.fields["original-envelope-id"] == "an-id"
        assert report.recipients[0]["remote-mta"] == "dns; mx.no-dsn.test"
        assert "NOTIFY" not in message.entry["rcpt"][0]


def test_a_refused_recipient_is_reported_with_the_servers_words(server, exim_server, relay):
    sender, refused = address("exim.test"), f"unknown@{server.KIND}.test"
    send(relay, refused, sender=sender)
    recipient, = reports.parse(report_to(exim_server, sender).content).recipients
    assert recipient["action"] == "failed" and recipient["status"].startswith("5.")
    assert recipient["remote-mta"] == f"dns; {server.options.name}"
    assert recipient["diagnostic-code"].startswith("smtp; 550")


# ---- signatures ----

@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
@pytest.mark.parametrize("canonicalization", ["relaxed/relaxed", "simple/simple"])
def test_a_signature_survives_each_server(server, world, tmp_path, algorithm, canonicalization):
    content, record = signed(server, world, tmp_path, algorithm, canonicalization)
    assert content.startswith(b"DKIM-Signature: ")
    assert dkim.DKIM(content).verify(dnsfunc=lambda name, timeout=5: record.encode())


def signed(server, world, folder, algorithm, canonicalization):
    """A message as the server got it, with CRLF again, and the record of its key."""
    kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "rsa" else ["-algorithm", "ED25519"]
    key = folder / "key.pem"
    subprocess.run(["openssl", "genpkey", *kind, "-out", key], check=True, capture_output=True, timeout=60)
    rule = {"domain": "exim.test", "selector": "one", "key": str(key), "canonicalization": canonicalization}
    recipient = address(f"{server.KIND}.test")
    with by_mx.relay(world, folder, dkim=json.dumps([rule])) as relay:
        send(relay, recipient, sender="a@exim.test", content=EIGHT_BIT, mail="BODY=8BITMIME")
        content = server.mailbox.wait_for(recipient)[0].content.replace(b"\n", b"\r\n")
        return content, relay.records("dkim_key")[0]["record"]


@pytest.mark.parametrize("canonicalization", ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"])
def test_opendkim_verifies_a_signature(exim_server, world, tmp_path, canonicalization):
    """Of RSA alone: Debian 12's knows no Ed25519."""
    content, record = signed(exim_server, world, tmp_path, "rsa", canonicalization)
    (tmp_path / "keys").write_text(f"one._domainkey.exim.test {record}\n")
    (tmp_path / "opendkim.conf").write_text(f"Mode v\nTestPublicKeys {tmp_path}/keys\n")

    def said(content):
        (tmp_path / "message").write_bytes(content)
        shell = 'opendkim -x "$0/opendkim.conf" -t "$0/message" -v 2>&1 || true'
        return world.dns.tools.run("sh", "-c", shell, tmp_path)
    assert "2048-bit key) succeeded" in said(content)
    assert "failed" in said(content.replace("Grüße".encode(), b"Gruesse"))

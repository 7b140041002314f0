"""DKIM signatures of the relay, verified by another implementation."""

import json

import pytest
from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to
from signatures import make_key, records_of, verified

CONTENT = (b"From: Ann <a@example.com>\r\nTo: b@example.net\r\nSubject:  folded\r\n\tsubject \r\n"
           b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\n"
           b"text  with   spaces \r\n.dot\r\n..two\r\n\r\n\r\n")
BY_FROM = b"From: a@example.com\r\nSubject: x\r\n\r\n"
CONTENTS = {
    "folds, spaces and dots": CONTENT,
    "no body": b"From: a@example.com\r\nSubject: x\r\n",
    "empty lines": BY_FROM + b"\r\n" * 10,
    "one space": BY_FROM + b" \r\n",
    "eight bits": BY_FROM + bytes(range(0x80, 0x100)) + "\r\nGrüße\r\n".encode(),
    "a long line": BY_FROM + b"x" * 5000 + b" \t y\r\n",
    "fields twice": b"From: a@example.com\r\nSubject: one\r\nComments: x\r\nSubject: two\r\nTo: b@example.net\r\n\r\nx\r\n",
    "larger than memory holds": BY_FROM + (b"line \t of text \r\n") * 200_000,
}
CANONICALIZATIONS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


def entry(folder, selector, algorithm, **fields):
    key = make_key(folder / f"{selector}.pem", algorithm)
    return {"domain": "example.com", "selector": selector, "key": str(key), **fields}


def signatures(message):
    """The DKIM-Signature fields, whole, from the top."""
    header = message.content.partition(b"\r\n\r\n")[0] + b"\r\n"
    fields, begun = [], False
    for line in header.splitlines(keepends=True):
        if line[:1] not in b" \t":
            begun = line.lower().startswith(b"dkim-signature:")
            if begun:
                fields.append(b"")
        if begun:
            fields[-1] += line
    return fields


def send(relay, content, sender="a@example.com"):
    with Client(relay.smtp_port) as client:
        return client.send(sender, content=content.replace(b"\r\n.", b"\r\n.."))


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_every_message_verifies(tmp_path, algorithm, canonicalization):
    settings = json.dumps([entry(tmp_path, "one", algorithm, canonicalization=canonicalization)])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        for number, content in enumerate(CONTENTS.values()):
            send(relay, content, f"m{number}@example.com")
        messages = arrived(sink, len(CONTENTS), 60)
        published = records_of(relay)
        assert list(published) == ["one._domainkey.example.com."]
        for message in messages:
            assert len(signatures(message)) == 1
            name = list(CONTENTS)[int(message.sender[1:].split("@")[0])]
            assert verified(message.content, published), name
            assert f"c={canonicalization}".encode() in signatures(message)[0]
            # The check can fail.
            assert not verified(message.content[:-2] + b"more\r\n", published)
        assert relay.metric("signatures_total") == len(CONTENTS)


def test_several_entries_sign_side_by_side(tmp_path):
    settings = json.dumps([entry(tmp_path, "rsa", "rsa"), entry(tmp_path, "ed", "ed25519"),
                           entry(tmp_path, "other", "rsa", domain="example.org"),
                           entry(tmp_path, "all", "rsa", domain="relay.test", senders=["*"])])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        send(relay, CONTENT)
        message, = arrived(sink, 1)
        found = signatures(message)
        assert [b"s=rsa;" in found[0], b"s=ed;" in found[1], b"s=all;" in found[2]] == [True] * 3
        assert len(found) == 3
        assert all(verified(message.content, records_of(relay), index) for index in range(3))


def test_nobody_else_is_signed_for(tmp_path):
    settings = json.dumps([entry(tmp_path, "one", "ed25519")])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        send(relay, b"From: a@example.org\r\n\r\nx\r\n", sender="a@example.com")
        send(relay, b"From: a@notexample.com\r\n\r\nx\r\n")
        for message in arrived(sink, 2):
            assert signatures(message) == []


def test_the_sender_counts_where_from_names_nobody(tmp_path):
    settings = json.dumps([entry(tmp_path, "one", "rsa")])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        send(relay, b"From: <>\r\nSubject: x\r\n\r\nx\r\n", sender="a@example.com")
        message, = arrived(sink, 1)
        assert verified(message.content, records_of(relay))


def test_a_field_that_is_added_later_breaks_the_signature(tmp_path):
    settings = json.dumps([entry(tmp_path, "one", "rsa")])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        send(relay, CONTENT)
        message, = arrived(sink, 1)
        published = records_of(relay)
        assert verified(message.content, published)
        for field in (b"From: evil@example.org\r\n", b"Subject: evil\r\n"):
            assert not verified(field + message.content, published)


def test_a_report_is_signed_too(tmp_path):
    settings = json.dumps([entry(tmp_path, "one", "rsa", domain="relay.test")])
    with RawSink(tmp_path / "sink", specs=["rcpt=never@:*:reply:550 5.1.1 no such user"]) as sink:
        with relay_to(sink, tmp_path, dkim=settings) as relay:
            with Client(relay.smtp_port) as client:
                client.send("a@example.org", ("never@example.net",))
            report, = arrived(sink, 1)
            assert report.sender == "" and verified(report.content, records_of(relay))


def test_a_retry_has_the_same_signature_also_behind_a_restart(tmp_path):
    """A receiver that has seen the message knows it again, whatever key is in force by then."""
    settings = json.dumps([entry(tmp_path, "one", "rsa", expires="24h")])
    with RawSink(tmp_path / "sink", specs=["end:*:reply:451 4.3.0 later"]) as sink:
        relay = relay_to(sink, tmp_path, dkim=settings).start()
        send(relay, CONTENT)
        patiently(lambda: len(sink.store.messages()) >= 2, 20, "two attempts")
        published = records_of(relay)
        relay.kill()
        make_key(tmp_path / "one.pem", "rsa")
        sink.faults.clear()
        with relay:
            last = arrived(sink, 1)[0]
        attempts = sink.store.messages()
        assert len({message.content for message in attempts}) == 1
        assert verified(last.content, published)
        assert b"; x=" in signatures(last)[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")


def test_a_changed_key_is_in_force_without_a_restart_and_a_broken_one_is_not(tmp_path):
    settings = json.dumps([entry(tmp_path, "one", "rsa")])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, dkim=settings) as relay:
        send(relay, CONTENT)
        first, = arrived(sink, 1)
        before = records_of(relay)
        make_key(tmp_path / "one.pem", "rsa")
        patiently(lambda: records_of(relay) != before, 20, "the new key")
        after = records_of(relay)
        send(relay, CONTENT)
        second = arrived(sink, 2)[1]
        assert verified(first.content, before) and not verified(first.content, after)
        assert verified(second.content, after) and not verified(second.content, before)
        (tmp_path / "one.pem").write_text("no key\n")
        patiently(lambda: [each for each in relay.records("dkim_key") if "error" in each], 20, "the complaint")
        send(relay, CONTENT)
        assert verified(arrived(sink, 3)[2].content, after)
    assert "PRIVATE" not in relay.log_file.read_text()


def test_every_recipient_at_every_smarthost_gets_the_same_signature(tmp_path):
    with RawSink(tmp_path / "one") as one, RawSink(tmp_path / "two") as two:
        hosts = [{"name": domain.replace(".", "-"), "host": "127.0.0.1", "port": sink.port, "tls": "none",
                  "recipient_domains": [domain]} for domain, sink in (("example.net", one), ("example.org", two))]
        settings = json.dumps([entry(tmp_path, "one", "ed25519")])
        with relay_to(one, tmp_path, dkim=settings) as relay:
            relay.stop()
            del relay.settings["smarthost"]
            relay.settings["smarthosts"] = json.dumps(hosts)
            relay.start()
            with Client(relay.smtp_port) as client:
                client.send("a@example.com", ("x@example.net", "y@example.org"), CONTENT.replace(b"\r\n.", b"\r\n.."))
            first, second = arrived(one, 1)[0], arrived(two, 1)[0]
            assert first.content == second.content
            assert verified(first.content, records_of(relay))

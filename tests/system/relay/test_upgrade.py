"""A spool belongs to no version: what the previous relay accepted this one delivers, and the other way round."""

import json

import previous
import pytest
from raw_sink import EXTENSIONS, RawSink
from relay import BIN, Client, arrived, patiently, relay_to

BOTH_WAYS = pytest.mark.parametrize("first, second", [(previous.BIN, BIN), (BIN, previous.BIN)], ids=["there", "back"])
LATER = "rcpt=later@:*:reply:451 4.3.0 later"
REFUSED = "rcpt=never@:*:reply:550 5.1.1 no such user"
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 20_000  # several chunks
UTF8 = "Subject: grüße\r\n\r\nschöne\r\n".encode()
SMALL = b"Subject: small\r\n\r\nbody\r\n"


@pytest.fixture(autouse=True)
def built():
    previous.check_built()


@pytest.fixture
def sink(tmp_path):
    """It puts off the recipient `later`, and refuses `never`."""
    with RawSink(tmp_path / "sink", extensions=(*EXTENSIONS, "DSN", "SMTPUTF8"), specs=[LATER, REFUSED]) as sink:
        yield sink


def version(sink, folder, programs):
    relay = relay_to(sink, folder, programs=programs, bounce_from="postmaster@relay.test")
    del relay.settings["flush_timeout"]  # the version before has none, and ends at a setting that it does not know
    relay.log_file = folder / f"{len(list(folder.glob('*.log')))}.log"
    return relay


def listed(relay):
    """{queue id: what a message is, but for what its attempts change}"""
    kept = ("state", "sender", "recipients", "size", "arrival")
    return {each["queue_id"]: {field: each.get(field) for field in kept} for each in relay.queue()}


def spread(relay, sink):
    """Mail in each state that a spool knows: {what it is: queue id}."""
    with Client(relay.smtp_port) as client:
        sent = {
            "put off": client.send(recipients=["later@a.test"], content=SMALL,
                                   mail="RET=HDRS ENVID=an+2Bid", rcpt="NOTIFY=FAILURE ORCPT=rfc822;first@a.test"),
            "half delivered": client.send(recipients=["now@b.test", "later@b.test"], content=BIG),
            "dead letter": client.send(sender="", recipients=["never@c.test"], content=SMALL),
            "held": client.send(recipients=["later@d.test"], content=UTF8, mail="SMTPUTF8 BODY=8BITMIME"),
        }
        patiently(lambda: relay.metric("failed_messages") == 1, 10, "the dead letter")
        arrived(sink, 1, to="now@b.test")
        relay.ctl("queue", "hold", sent["held"])
        patiently(lambda: listed(relay)[sent["held"]]["state"] == "held", 20, "it is held")
        relay.ctl("queue", "suspend", "smarthost/default")
        sent["never tried"] = client.send(recipients=["later@e.test"], content=BIG)
    return sent


@BOTH_WAYS
def test_mail_in_each_state_that_one_version_left_is_found_and_delivered_by_the_other(tmp_path, sink, first, second):
    relay = version(sink, tmp_path, first).start()
    sent = spread(relay, sink)
    before = listed(relay)
    assert set(before) == set(sent.values())
    relay.kill()
    with version(sink, tmp_path, second) as other:
        assert listed(other) == before
        sink.faults.clear()
        patiently(lambda: set(listed(other)) == {sent["held"], sent["dead letter"]}, 20, "what waited is delivered")
        other.ctl("queue", "release", sent["held"])
        other.ctl("queue", "release", sent["dead letter"])
        patiently(lambda: not listed(other), 20, "the rest is delivered")
        assert not other.records("quarantine") and not other.records("spool_recovered")
    delivered = {message.recipients[0]: message for message in sink.store.messages() if message.accepted}
    assert sorted(delivered) == ["later@a.test", "later@b.test", "later@d.test", "later@e.test", "never@c.test", "now@b.test"]
    for recipient, content in {"later@a.test": SMALL, "later@b.test": BIG, "now@b.test": BIG, "never@c.test": SMALL,
                               "later@d.test": UTF8, "later@e.test": BIG}.items():
        assert delivered[recipient].content.endswith(b"+0000\r\n" + content), f"{recipient}: to the octet"
    assert len(sink.store.messages()) == len(delivered), "each once"
    asked = delivered["later@a.test"].entry
    assert "RET=HDRS" in asked["mail"] and "ENVID=an+2Bid" in asked["mail"], asked
    assert "NOTIFY=FAILURE ORCPT=rfc822;first@a.test" in asked["rcpt"][0], asked
    assert "SMTPUTF8" in delivered["later@d.test"].entry["mail"]


def test_nothing_is_lost_or_sent_twice_while_versions_take_turns(tmp_path):
    sent, rounds = [], 6
    with RawSink(tmp_path / "sink", specs=["mail:*:reply:451 4.3.0 later"]) as sink:
        for number in range(rounds):
            relay = version(sink, tmp_path, [previous.BIN, BIN][number % 2]).start()
            assert relay.metric("queue_messages") == len(sent), "what was there is found"
            with Client(relay.smtp_port) as client:
                names = [f"m{number}-{count}@example.net" for count in range(10)]
                for name in names:
                    client.send(recipients=[name])
                sent += names
            relay.kill() if number % 3 else relay.stop()
        sink.faults.clear()
        for programs in (previous.BIN, BIN):
            with version(sink, tmp_path, programs) as relay:
                patiently(relay.is_empty, 30, "all is delivered")
        assert sorted(message.recipients[0] for message in sink.store.messages() if message.accepted) == sorted(sent)


@BOTH_WAYS
def test_what_one_version_exports_the_other_imports(tmp_path, sink, first, second):
    file = tmp_path / "mail.jsonl"
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    with version(sink, tmp_path / "from", first) as relay, Client(relay.smtp_port) as client:
        sent = client.send(recipients=["later@a.test"], content=BIG)
        relay.ctl("queue", "hold", "--all")
        patiently(lambda: listed(relay)[sent]["state"] == "held", 20, "it is held")
        relay.ctl("queue", "export", "--all", "--remove", "--output", file)
        assert json.loads(relay.ctl("queue", "--json")) == []
    sink.faults.clear()
    with version(sink, tmp_path / "to", second) as relay:
        relay.ctl("queue", "import", file)
        assert [each["state"] for each in relay.queue()] == ["held"], "it is what it was"
        relay.ctl("queue", "release", "--all")
        message, = arrived(sink, 1)
        assert message.content.endswith(b"+0000\r\n" + BIG)
        patiently(relay.is_empty, 10, "it is delivered")

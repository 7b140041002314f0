"""A client that may not relay gets nothing through, in whatever form it writes the address; one that may has its recipients
passed on as it wrote them, and nobody else's taken out of them."""

import pytest
from raw_sink import RawSink
from relay import Client, Relay, arrived, patiently

STRANGER, FRIEND = "127.0.0.1", "127.0.0.2"
NAME = "relay.test"
# What open relays were found by; NAME and the address are ours.
FORMS = {
    "plain": "<user@example.net>",
    "percent hack at our name": "<user%example.net@relay.test>",
    "percent hack at our address": "<user%example.net@[127.0.0.1]>",
    "percent hack twice": "<user%example.net%other.example@relay.test>",
    "percent hack without a domain": "<user%example.net>",
    "quoted, without a domain": '<"user@example.net">',
    "quoted percent hack, without a domain": '<"user%example.net">',
    "quoted local part at our name": '<"user@example.net"@relay.test>',
    "quoted local part at our address": '<"user@example.net"@[127.0.0.1]>',
    "quoted percent hack at our name": '<"user%example.net"@relay.test>',
    "two ats, our name": "<user@example.net@relay.test>",
    "two ats, our address": "<user@example.net@[127.0.0.1]>",
    "bang path": "<example.net!user>",
    "bang path at our name": "<example.net!user@relay.test>",
    "bang path at our address": "<example.net!user@[127.0.0.1]>",
    "bang path through others": "<relay.test!example.net!user>",
    "source route by our name": "<@relay.test:user@example.net>",
    "source route by our address": "<@[127.0.0.1]:user@example.net>",
    "source route of two": "<@relay.test,@other.example:user@example.net>",
    "source route with a percent hack": "<@relay.test:user%example.net@relay.test>",
    "colon of DECnet": "<relay.test::user@example.net>",
    "at our name": "<user@relay.test>",
    "at localhost": "<user@localhost>",
    "at an address": "<user@[203.0.113.1]>",
    "at an address of IPv6": "<user@[IPv6:::1]>",
    "bare": "user@example.net",
    "with a blank": " <user@example.net>",
    "local": "<user>",
    "postmaster without a domain": "<Postmaster>",
    "postmaster elsewhere": "<postmaster@example.net>",
    "a dot behind the domain": "<user@example.net.>",
    "a NUL": "<user\0@example.net>",
    "a second path behind it": "<user@relay.test> <user@example.net>",
    "an ORCPT of another": "<user@relay.test> ORCPT=rfc822;user@example.net",
}
SENDERS = ("<>", "<spam@example.com>", "<spam@relay.test>", "<spam@[127.0.0.1]>", "<user@example.net>")


@pytest.fixture(scope="module")
def sink(tmp_path_factory):
    with RawSink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture(scope="module")
def relay(sink, tmp_path_factory):
    with Relay(tmp_path_factory.mktemp("relay"), smarthost=f"127.0.0.1:{sink.port}", hostname=NAME,
               allowed_networks=f"{FRIEND}/32") as relay:
        yield relay


@pytest.mark.parametrize("form", FORMS)
def test_a_stranger_relays_nothing_Case068_Case069(relay, sink, form):
    for greeting in ("HELO client.test", f"EHLO {NAME}"):
        with Client(relay.smtp_port, greeting, STRANGER) as client:
            for sender in SENDERS:
                client.say(f"MAIL FROM:{sender}", 250)
                assert client.say(f"RCPT TO:{FORMS[form]}")[0] == "5", (greeting, sender)
                assert client.say("DATA")[0] == "5"
                client.say("RSET", 250)
    assert relay.is_empty() and relay.metric("messages_received_total") == 0
    assert not sink.store.messages()


@pytest.fixture(scope="module")
def other_sink(tmp_path_factory):
    with RawSink(tmp_path_factory.mktemp("other")) as sink:
        yield sink


@pytest.fixture(scope="module")
def open_to_friends(other_sink, tmp_path_factory):
    with Relay(tmp_path_factory.mktemp("friends"), smarthost=f"127.0.0.1:{other_sink.port}", hostname=NAME,
               allowed_networks=f"{FRIEND}/32") as relay:
        yield relay


@pytest.mark.parametrize("number, path, passed_on", [
    (1, "<user@example.net>", "user@example.net"),
    (2, "<user%other.example@example.net>", "user%other.example@example.net"),
    (3, "<other.example!user@example.net>", "other.example!user@example.net"),
    (4, '<"user@other.example"@example.net>', '"user@other.example"@example.net'),
    (5, "<@a.example,@b.example:user@example.net>", "user@example.net"),
    (6, "<${run{/bin/true}}@example.net>", "${run{/bin/true}}@example.net"),
    (7, "<%s%n%n{{7*7}}@example.net>", "%s%n%n{{7*7}}@example.net"),
    (8, "<$(reboot)`id`@example.net>", None),
    (9, "<\"x'/**/UNION/**/SELECT;--\"@example.net>", "\"x'/**/UNION/**/SELECT;--\"@example.net"),
    (10, '<"a b"@example.net>', '"a b"@example.net'),
    (11, "<|/bin/sh@example.net>", "|/bin/sh@example.net"),
])
def test_what_a_friend_writes_goes_on_as_it_is_Case041_Case046(open_to_friends, other_sink, number, path, passed_on):
    """No hop is taken out of the local part, nothing is expanded; of a source route its last address is what counts."""
    sender = f"sender-{number}@example.com"
    with Client(open_to_friends.smtp_port, source=FRIEND) as client:
        client.say(f"MAIL FROM:<{sender}>", 250)
        answer = client.say(f"RCPT TO:{path}")
        if passed_on is None:
            assert answer.startswith("501 5.1.3"), "parentheses belong into quotes"
            return
        assert answer.startswith("250 "), answer
        client.say("DATA", 354)
        client.write(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert client.reply().startswith("250 2.0.0 ")
    message, = patiently(lambda: [each for each in other_sink.store.messages() if each.sender == sender], 20, "it has arrived")
    assert message.recipients == [passed_on]


def test_nor_does_a_stranger_whose_address_is_written_otherwise_Case071(sink, tmp_path):
    """A socket of both families shows IPv4 clients as ::ffff:127.0.0.1: the same client, by the same rules."""
    relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", allowed_networks=f"{FRIEND}/32")
    relay.settings["listen"] = f"[::]:{relay.smtp_port}"
    with relay:
        with Client(relay.smtp_port, source=STRANGER) as client:
            client.say("MAIL FROM:<a@example.com>", 250)
            assert client.say("RCPT TO:<b@example.net>").startswith("550 5.7.1")
        with Client(relay.smtp_port, source=FRIEND) as client:
            client.say("MAIL FROM:<a@example.com>", 250)
            assert client.say("RCPT TO:<b@example.net>").startswith("250 ")


@pytest.mark.parametrize("words", [
    "XCLIENT ADDR=127.0.0.2", "XFORWARD ADDR=127.0.0.2", "PROXY TCP4 127.0.0.2 127.0.0.1 1000 25", "XCLIENT NAME=x ADDR=127.0.0.2"])
def test_nor_one_that_claims_another_address_Case070(relay, words):
    with Client(relay.smtp_port, None, STRANGER) as client:
        assert client.say(words).startswith("550 5.7.1")
        assert client.reply() == "", "closed"
    with Client(relay.smtp_port, source=STRANGER) as client:
        assert client.say(words)[0] == "5"
        assert client.reply() == "", "closed, later too"


def test_the_friend_of_this_test_may_Case068(open_to_friends, other_sink):
    before = len(other_sink.store.messages())
    with Client(open_to_friends.smtp_port, source=FRIEND) as client:
        client.send()
    arrived(other_sink, before + 1)

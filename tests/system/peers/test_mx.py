"""Delivery to the mail servers of domains, and what becomes of mail for domains that have none."""

import pytest
import reports
from peers import by_mx, zones
from peers.by_mx import address, delivery_of, send
from peers.zones import Zone
from raw_sink import RawSink
from relay import arrived, patiently


@pytest.fixture
def relay(world, tmp_path):
    with by_mx.relay(world, tmp_path) as relay:
        yield relay


def report_of(server, sender, count=1):
    """The report that the sender's mail server got by MX."""
    delivery = server.mailbox.wait_for(sender, count, seconds=60)[count - 1]
    assert delivery.sender == ""
    return reports.parse(delivery.content)


def test_a_domain_gets_its_mail_at_its_own_server(server, relay):
    recipient = address(f"{server.KIND}.test")
    send(relay, recipient)
    delivery = server.mailbox.wait_for(recipient)[0]
    assert delivery.content.endswith(b"\n\nbody\n")
    record = delivery_of(relay, recipient)
    assert record["host"] == f"{server.options.name}:25"
    assert record["destination"] == f"mx/{server.KIND}.test"
    # The certificate is not asked for: the domain says nothing of it.
    assert record["tls"].startswith("TLSv1") and record["tls"].endswith(" unverified")


@pytest.mark.parametrize("domain, host", [
    ("both.test", "mx.both.test"), ("a-only.test", "a-only.test"), ("cname.test", "alias.cname.test"),
    ("www.cname.test", "mx.exim.test"),
])
def test_the_server_is_found_as_the_dns_says(exim_server, relay, domain, host):
    recipient = address(domain)
    send(relay, recipient)
    exim_server.mailbox.wait_for(recipient)
    assert delivery_of(relay, recipient)["host"] == f"{host}:25"
    failed = [record["host"] for record in relay.records("host_failure")]
    assert failed == (["silent.both.test:25"] if domain == "both.test" else [])


def test_recipients_of_several_domains_have_ways_of_their_own(exim_server, postfix_server, relay):
    one, two, sender = address("exim.test"), address("postfix.test"), address("exim.test")
    send(relay, one, two, "x@null.test", sender=sender)
    exim_server.mailbox.wait_for(one)
    postfix_server.mailbox.wait_for(two)
    assert report_of(exim_server, sender).actions == {"x@null.test": "failed"}
    patiently(relay.is_empty, 10, "the queue is empty")
    assert relay.metric("failed_messages") == 0


@pytest.mark.parametrize("domain, status", [
    ("null.test", "5.1.10"), ("no-such-domain.test", "5.1.2"), ("loop.test", "5.4.6"),
], ids=["null MX Case126", "no such domain", "loop"])
def test_what_can_never_arrive_comes_back_at_once(exim_server, relay, domain, status):
    sender = address("exim.test")
    send(relay, f"x@{domain}", sender=sender)
    recipient, = report_of(exim_server, sender).recipients
    assert (recipient["action"], recipient["status"]) == ("failed", status)
    assert recipient["final-recipient"] == f"rfc822; x@{domain}"
    assert "remote-mta" not in recipient
    assert recipient["diagnostic-code"].startswith("x-smtp-relay; ")
    assert not exim_server.mailbox.deliveries(f"x@{domain}")
    patiently(relay.is_empty, 10, "the queue is empty")


@pytest.mark.parametrize("name, target", [
    ("loopback", {"A": "127.0.0.1"}), ("private", {"A": "10.1.2.3"}), ("link-local", {"A": "169.254.169.254"}),
    ("loopback6", {"AAAA": "::1"}), ("mapped", {"AAAA": "::ffff:127.0.0.1"}),
])
def test_an_mx_that_points_inside_is_refused_Case127(world, exim_server, relay, name, target):
    world.dns.publish(**{f"{name}.inside.test": Zone({"@": {"MX": "10 mx"}, "mx": target})})
    sender = address("exim.test")
    send(relay, f"x@{name}.inside.test", sender=sender)
    recipient, = report_of(exim_server, sender).recipients
    assert recipient["status"] == "5.4.4"
    assert "no public address" in recipient["diagnostic-code"]


def test_an_mx_that_points_inside_does_not_keep_from_another(world, exim_server, relay):
    world.dns.publish(**{"half-inside.test": Zone({"@": {"MX": ["10 inside", "20 mx.exim.test."]},
                                                   "inside": {"A": "127.0.0.1"}})})
    recipient = address("half-inside.test")
    send(relay, recipient)
    exim_server.mailbox.wait_for(recipient)
    assert delivery_of(relay, recipient)["host"] == "mx.exim.test:25"


def test_an_inner_network_that_is_allowed_is_delivered_to(world, tmp_path):
    world.dns.publish(**{"allowed.test": Zone({"@": {"MX": "10 mx"}, "mx": {"A": "127.0.0.77"}})})
    with RawSink(tmp_path / "sink", listen=(("127.0.0.77", 25),)) as sink:
        with by_mx.relay(world, tmp_path, mx_allowed_networks="127.0.0.77/32") as relay:
            send(relay, "x@allowed.test")
            assert arrived(sink, 1)[0].recipients == ["x@allowed.test"]


@pytest.mark.parametrize("domain", ["lame.test", "bogus.test"])
def test_mail_waits_where_the_dns_does_not_tell(postfix_server, relay, domain):
    recipient = address(domain)
    send(relay, recipient)
    record = by_mx.waits(relay)
    assert record["destination"] == f"mx/{domain}"
    assert not postfix_server.mailbox.deliveries(recipient)


def test_mail_waits_while_every_server_of_the_domain_is_down(world, exim_server, relay):
    world.dns.publish(**{"down.test": Zone({"@": {"MX": ["10 mx"]}, "mx": zones.host(zones.SILENT)})})
    recipient = address("down.test")
    send(relay, recipient)
    by_mx.waits(relay)
    # The domain moves; the attempt behind the records' time to live, a minute, finds it.
    world.dns.publish(**{"down.test": Zone({"@": {"MX": ["10 mx.exim.test."]}, "mx": zones.host(zones.SILENT)})})
    exim_server.mailbox.wait_for(recipient, seconds=120)


def test_a_server_that_puts_off_is_followed_by_the_next_at_once_Case128(world, tmp_path, exim_server):
    more = {"@": {"MX": ["10 mx", "20 mx.exim.test."]}}
    scripted = by_mx.ScriptedMx(world, tmp_path, "first-busy.test", records=more, specs=["rcpt:*:reply:450 4.2.1 busy"])
    with scripted as sink, by_mx.relay(world, tmp_path, mx_retry_initial_delay="1h", retry_max_delay="1h") as relay:
        recipient = address("first-busy.test")
        send(relay, recipient)
        exim_server.mailbox.wait_for(recipient)
        assert sink.store.messages() == []
        assert delivery_of(relay, recipient)["host"] == "mx.exim.test:25"


def test_an_international_domain_is_found(world, exim_server, relay):
    world.dns.publish(**{"xn--bcher-kva.test": Zone({"@": {"MX": "10 mx.exim.test."}})})
    recipient = address("bücher.test")
    send(relay, recipient, mail="SMTPUTF8", content="Subject: Bücher\r\n\r\nx\r\n".encode())
    assert exim_server.mailbox.wait_for(recipient)

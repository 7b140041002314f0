"""TLS as domains demand it, by DANE and MTA-STS, and as the settings do."""

import pytest
from peers import by_mx, zones
from peers.by_mx import ScriptedMx, StsDomain, address, delivery_of, policy, send, waits
from peers.https_files import POLICY_PATH
from peers.zones import Zone
from relay import arrived, patiently


@pytest.fixture
def relay(world, tmp_path):
    with by_mx.relay(world, tmp_path) as relay:
        yield relay


def nothing_at(server, recipient):
    assert not server.mailbox.deliveries(recipient)


# ---- DANE ----

def test_dane_proves_the_server_Case129(postfix_server, relay):
    recipient = address("dane.test")
    send(relay, recipient)
    postfix_server.mailbox.wait_for(recipient)
    assert delivery_of(relay, recipient)["tls"].endswith(" dane-ee verified")
    assert relay.metric('delivery_tls_total{outcome="dane"}') == 1


def test_a_server_with_another_key_gets_nothing_Case129(postfix_server, relay):
    recipient = address("dane-broken.test")
    send(relay, recipient)
    record = waits(relay)
    assert record["host"] == "mx.dane-broken.test:25"
    assert relay.metric('delivery_tls_total{outcome="failed"}') >= 1
    nothing_at(postfix_server, recipient)


def tlsa_of(certificate):
    return {"_25._tcp.mx": {"TLSA": zones.tlsa(certificate)}}


def test_dane_is_not_for_the_names_and_dates_of_a_certificate(world, tmp_path, relay):
    """RFC 7672 section 3.1.1: with DANE-EE the key alone counts."""
    certificate = by_mx.make_certificate(world.authority, tmp_path, "mx.dane-expired.test", "expired")
    records = tlsa_of(certificate[0])
    with ScriptedMx(world, tmp_path, "dane-expired.test", certificate, records=records, signed=True) as sink:
        send(relay, "x@dane-expired.test")
        arrived(sink, 1)
        assert delivery_of(relay, "x@dane-expired.test")["tls"].endswith(" dane-ee verified")


def test_a_server_with_dane_that_offers_no_tls_gets_nothing(world, tmp_path, postfix_server, relay):
    records = tlsa_of(world.certificates["postfix"][0])
    with ScriptedMx(world, tmp_path, "dane-stripped.test", "none", records=records, signed=True) as sink:
        send(relay, "x@dane-stripped.test")
        assert "STARTTLS is not offered" in waits(relay)["error"]
        assert sink.store.messages() == []


def test_tlsa_records_without_dnssec_prove_nothing(world, tmp_path, relay):
    records = tlsa_of(world.certificates["postfix"][0])  # of another key
    with ScriptedMx(world, tmp_path, "tlsa-insecure.test", records=records) as sink:
        send(relay, "x@tlsa-insecure.test")
        arrived(sink, 1)
        assert delivery_of(relay, "x@tlsa-insecure.test")["tls"].endswith(" unverified")


# ---- MTA-STS ----

def test_an_enforced_policy_is_obeyed(postfix_server, policy_files, relay):
    recipient = address("sts.test")
    send(relay, recipient)
    postfix_server.mailbox.wait_for(recipient, seconds=60)
    assert delivery_of(relay, recipient)["tls"].endswith(" verified")
    assert ("GET", "mta-sts.sts.test", POLICY_PATH, b"") in policy_files.requests
    assert relay.records("sts_policy")[0]["mode"] == "enforce"


def test_a_policy_that_does_not_name_the_server_keeps_mail_from_it_Case130(postfix_server, policy_files, relay):
    recipient = address("sts-broken.test")
    send(relay, recipient)
    waits(relay, "MTA-STS policy of sts-broken.test does not name the host mx.sts-broken.test")
    nothing_at(postfix_server, recipient)


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_a_policy_that_is_not_enforced_delivers(world, tmp_path, relay, mode):
    name = f"sts-{mode}.test"
    with StsDomain(world, tmp_path, name, policy(mode, "mx.elsewhere.test"), certificate="self-signed") as sink:
        send(relay, f"x@{name}")
        arrived(sink, 1, 60)
        patiently(lambda: relay.records("sts_policy"), 10, "the policy")
        assert relay.records("sts_policy")[0]["mode"] == mode


@pytest.mark.parametrize("certificate", ["expired", "wrong name", "self-signed", "none"])
def test_an_enforced_policy_wants_a_good_certificate(world, tmp_path, relay, certificate):
    name = f"sts-{certificate.replace(' ', '-')}.test"
    with StsDomain(world, tmp_path, name, policy("enforce", f"*.{name}"), certificate=certificate) as sink:
        send(relay, f"x@{name}")
        waits(relay, "STARTTLS is not offered" if certificate == "none" else "certificate")
        assert sink.store.messages() == []


def test_a_policy_outlives_the_dns_and_the_process_Case130(world, tmp_path):
    """Who takes the policy's names away gains nothing: it is on disk, and counts until its time is over."""
    name = "sts-kept.test"
    domain = StsDomain(world, tmp_path, name, policy("enforce", "mx.elsewhere.test"))
    with domain as sink:
        with by_mx.relay(world, tmp_path) as relay:
            send(relay, f"x@{name}")
            waits(relay, "does not name the host")
        domain.stop_policy()
        bare = Zone({"@": {"MX": "10 mx"}, "mx": domain.zone.records["mx"]})
        world.dns.publish(**{name: bare})
        relay.log_file.unlink()
        with relay:
            waits(relay, "does not name the host")
        assert sink.store.messages() == []
        # One that never saw the policy delivers: the names are gone indeed.
        (tmp_path / "fresh").mkdir()
        with by_mx.relay(world, tmp_path / "fresh") as fresh:
            send(fresh, f"x@{name}")
            arrived(sink, 1)


def test_a_policy_that_cannot_be_had_does_not_hold_mail(world, tmp_path, relay):
    name = "sts-missing.test"
    domain = StsDomain(world, tmp_path, name, "")
    domain.files.files.clear()
    with domain as sink:
        send(relay, f"x@{name}")
        arrived(sink, 1, 60)
        assert relay.records("sts_fault")[0]["domain"] == name


# ---- the settings ----

BAD = ["expired", "wrong name", "another authority", "self-signed"]


@pytest.mark.parametrize("certificate", ["good", *BAD, "none"])
@pytest.mark.parametrize("level", ["none", "opportunistic", "policy", "required"])
def test_each_level_of_tls_with_each_certificate_Case131(world, tmp_path, level, certificate):
    name = f"{level}-{certificate.replace(' ', '-')}.test"
    with ScriptedMx(world, tmp_path, name, certificate) as sink, by_mx.relay(world, tmp_path, mx_tls=level) as relay:
        send(relay, f"x@{name}")
        if level == "required" and certificate != "good":
            waits(relay, "STARTTLS is not offered" if certificate == "none" else "certificate")
            assert sink.store.messages() == []
            return
        message, = arrived(sink, 1)
        assert bool(message.entry["tls"]) is (level != "none" and certificate != "none")
        shown = delivery_of(relay, f"x@{name}")["tls"]
        expected = "" if not message.entry["tls"] else "verified" if level == "required" else "unverified"
        assert (shown.split() or [""])[-1] == expected


def test_a_domain_can_have_a_level_of_its_own(world, tmp_path):
    rules = '[{"domains": ["rule.test"], "tls": "required"}]'
    with ScriptedMx(world, tmp_path, "rule.test", "self-signed") as sink:
        with by_mx.relay(world, tmp_path, mx_tls="none", destinations=rules) as relay:
            send(relay, "x@rule.test")
            waits(relay, "certificate")
            assert sink.store.messages() == []

"""The world that the other tests are about: its names say what they should."""

import re
import ssl
import urllib.request

import pytest
from peers import zones
from peers.zones import Zone


def answer(world, name, kind, *options, **more):
    """(status, flags, data)"""
    text = world.dns.dig(name, kind, *options, **more)
    data = re.findall(rf"^\S+\s+\d+\s+IN\s+{kind}\s+(.*)$", text, re.M)
    return re.search(r"status: (\w+)", text)[1], re.search(r"flags: ([^;]*);", text)[1].split(), data


@pytest.mark.parametrize("name, kind, data", [
    ("exim.test", "MX", ["10 mx.exim.test."]),
    ("mx.postfix.test", "A", [zones.POSTFIX]),
    ("mx.opensmtpd.test", "AAAA", ["2001:db8::13"]),
    ("both.test", "MX", ["10 silent.both.test.", "20 mx.both.test."]),
    ("null.test", "MX", ["0 ."]),
    ("a-only.test", "MX", []),
    ("a-only.test", "A", [zones.EXIM]),
    ("loop.test", "MX", ["10 relay.test."]),
    ("relay.test", "A", [zones.RELAY]),
    ("www.cname.test", "MX", ["10 mx.exim.test."]),
    ("_mta-sts.sts.test", "TXT", ['"v=STSv1; id=20260101T000000;"']),
    ("_smtp._tls.sts.test", "TXT", ['"v=TLSRPTv1; rua=mailto:tls-reports@sts.test"']),
])
def test_an_unsigned_name_resolves_without_proof(world, name, kind, data):
    status, flags, found = answer(world, name, kind, "+dnssec")
    assert (status, sorted(found)) == ("NOERROR", data)
    assert "ad" not in flags


@pytest.mark.parametrize("domain, right", [("dane.test", True), ("dane-broken.test", False)])
def test_a_tlsa_record_is_proven(world, domain, right):
    status, flags, found = answer(world, f"_25._tcp.mx.{domain}", "TLSA", "+dnssec")
    assert status == "NOERROR" and "ad" in flags
    expected = zones.tlsa(world.certificates["postfix"][0])
    assert ([found[0].replace(" ", "").lower()] == [expected.replace(" ", "")]) is right


def test_a_name_that_does_not_exist_is_proven_not_to(world):
    status, flags, _ = answer(world, "no-such-domain.test", "MX", "+dnssec")
    assert status == "NXDOMAIN" and "ad" in flags


def test_a_zone_with_broken_signatures_resolves_for_who_does_not_check(world):
    assert answer(world, "bogus.test", "MX")[0] == "SERVFAIL"
    assert answer(world, "bogus.test", "MX", "+cd")[2] == ["10 mx.bogus.test."]
    assert answer(world, "bogus.test", "MX", server=world.dns.address)[2] == ["10 mx.bogus.test."]


def test_a_zone_whose_server_is_silent_does_not_resolve(world):
    assert answer(world, "lame.test", "MX")[0] == "SERVFAIL"


def test_the_exported_anchor_proves_names(world):
    said = world.dns.tools.run("delv", "-a", delv_anchor(world), "+root=.", f"@{world.dns.resolver}", "dane.test", "MX")
    assert "; fully validated" in said


def delv_anchor(world):
    flags, protocol, algorithm, *key = world.dns.trust_anchor.read_text().split("DNSKEY")[1].split()
    file = world.dns.folder / "delv.conf"
    file.write_text(f'trust-anchors {{ . static-key {flags} {protocol} {algorithm} "{"".join(key)}"; }};\n')
    return file


@pytest.mark.parametrize("signed", [True, False])
def test_a_domain_that_a_test_publishes_is_there_at_once(world, signed):
    name = f"new-{'signed' if signed else 'plain'}.test"
    assert answer(world, name, "MX")[0] == "NXDOMAIN"
    world.dns.publish(**{name: Zone({"@": {"MX": "5 mx.exim.test."}}, signed=signed)})
    status, flags, found = answer(world, name, "MX", "+dnssec")
    assert (status, found, "ad" in flags) == ("NOERROR", ["5 mx.exim.test."], signed)


@pytest.mark.parametrize("host", list(zones.POLICIES))
def test_a_policy_is_served_with_a_certificate_that_verifies(world, policy_files, host):
    context = ssl.create_default_context(cafile=world.authority.certificate)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(f"https://{host}/.well-known/mta-sts.txt", timeout=20) as response:
        assert response.read().decode() == zones.POLICIES[host]
    assert ("GET", host, "/.well-known/mta-sts.txt", b"") in policy_files.requests

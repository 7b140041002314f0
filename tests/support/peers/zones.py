"""The names and addresses of the tests' world; README.md has the table."""

import base64
import dataclasses
import hashlib
import subprocess

from .network import v6

# The relay's host: the relay itself, and what runs within the test process.
RELAY, HTTPS, TOKENS = "192.0.2.1", "192.0.2.2", "192.0.2.3"
SCRIPTED = ["192.0.2.4", "192.0.2.5", "192.0.2.6"]
# The peers' host. SILENT refuses connections.
EXIM, POSTFIX, OPENSMTPD, SILENT = "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.19"
AUTHORITY, RESOLVER = "192.0.2.52", "192.0.2.53"
NEAR = [RELAY, HTTPS, TOKENS, *SCRIPTED]
FAR = [EXIM, POSTFIX, OPENSMTPD, SILENT, AUTHORITY, RESOLVER]

# The names that each server's certificate has; the first is what it calls itself.
CERTIFICATE_NAMES = {
    "exim": ["mx.exim.test", "a-only.test", "mx.both.test"],
    "postfix": ["mx.postfix.test", "mx.dane.test", "mx.dane-broken.test", "mx.sts.test", "mx.sts-broken.test",
                "mx.bogus.test"],
    "opensmtpd": ["mx.opensmtpd.test"],
    "https": ["mta-sts.sts.test", "mta-sts.sts-broken.test"],
    "tokens": ["tokens.test"],
}

POLICIES = {  # of MTA-STS, {host: text}
    "mta-sts.sts.test": "version: STSv1\r\nmode: enforce\r\nmx: mx.sts.test\r\nmax_age: 86400\r\n",
    "mta-sts.sts-broken.test": "version: STSv1\r\nmode: enforce\r\nmx: mx.elsewhere.test\r\nmax_age: 86400\r\n",
}


@dataclasses.dataclass
class Zone:
    """`records`: {name relative to the zone, @ for itself: {type: [data]}}; a single datum needs no list."""

    records: dict
    signed: bool = False
    bogus: bool = False  # signed, with signatures that do not match what they sign

    def lines(self):
        for name, types in self.records.items():
            for kind, data in types.items():
                for each in [data] if isinstance(data, str) else data:
                    yield f"{name} {kind} {each}"


def host(address):
    return {"A": address, "AAAA": v6(address)}


def served(address, **more):
    """A domain with one MX at the address."""
    return {"@": {"MX": "10 mx"}, "mx": host(address), **more}


def strict(domain, address):
    """A domain with a policy of MTA-STS, and with TLS reports."""
    return served(address, **{
        "_mta-sts": {"TXT": '"v=STSv1; id=20260101T000000;"'},
        "_smtp._tls": {"TXT": f'"v=TLSRPTv1; rua=mailto:tls-reports@{domain}"'},
        "mta-sts": host(HTTPS),
    })


def tlsa(certificate, right=True):
    """RFC 6698: 3 1 1, the SHA-256 of the certificate's public key."""
    pem = openssl("x509", "-in", certificate, "-noout", "-pubkey")
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))
    return "3 1 1 " + hashlib.sha256(der if right else der + b"!").hexdigest()


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def world(postfix_certificate):
    """{name: Zone} of all domains below `test`."""
    right, wrong = tlsa(postfix_certificate), tlsa(postfix_certificate, right=False)
    return {
        "exim.test": Zone(served(EXIM)),
        "postfix.test": Zone(served(POSTFIX)),
        "opensmtpd.test": Zone(served(OPENSMTPD)),
        "both.test": Zone({"@": {"MX": ["10 silent", "20 mx"]}, "silent": host(SILENT), "mx": host(EXIM)}),
        "null.test": Zone({"@": {"MX": "0 .", **host(EXIM)}}),
        "a-only.test": Zone({"@": host(EXIM)}),
        "cname.test": Zone({"@": {"MX": "10 alias"}, "alias": {"CNAME": "mx.exim.test."},
                            "www": {"CNAME": "exim.test."}}),
        "loop.test": Zone({"@": {"MX": "10 relay.test."}}),
        "relay.test": Zone({"@": host(RELAY)}),
        "tokens.test": Zone({"@": host(TOKENS)}),
        "sts.test": Zone(strict("sts.test", POSTFIX)),
        "sts-broken.test": Zone(strict("sts-broken.test", POSTFIX)),
        "dane.test": Zone(served(POSTFIX, **{"_25._tcp.mx": {"TLSA": right}}), signed=True),
        "dane-broken.test": Zone(served(POSTFIX, **{"_25._tcp.mx": {"TLSA": wrong}}), signed=True),
        "bogus.test": Zone(served(POSTFIX, **{"_25._tcp.mx": {"TLSA": right}}), signed=True, bogus=True),
        # Its name server does not answer.
        "lame.test": Zone({"@": {"NS": "ns"}, "ns": {"A": SILENT}}),
    }
